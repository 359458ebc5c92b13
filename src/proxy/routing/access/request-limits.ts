/** How many requests a key may send: nginx's `limit_req`, compiled. */
import type { RequestLimitsConfig } from "../../../config/schema/schema.ts";
import { type Zone, zoneHash } from "../../../scoreboard/zone-counts.ts";
import { type Outcome, outcomes } from "../../context/outcomes.ts";
import type { RequestContext } from "../../context/request-context.ts";
import type { Render } from "../render.ts";
import type { VariableScope } from "../template.ts";
import { type LimitZones, requestZone } from "./limit-zones.ts";

interface Limit {
  readonly name: string;
  readonly zone: Zone;
  readonly key: Render;
  readonly costUs: number;
  readonly burstUs: number;
  readonly delayAfterUs: number;
}

interface Counted {
  readonly limit: Limit;
  readonly hash: bigint;
}

export class RequestLimits {
  readonly #config: RequestLimitsConfig;
  readonly #zones: LimitZones;
  readonly #limits: readonly Limit[];
  readonly #outcome: Outcome;

  constructor(config: RequestLimitsConfig, zones: LimitZones, scope: VariableScope) {
    this.#config = config;
    this.#zones = zones;
    this.#limits = config.zones.map(({ zone: name, burst, delayAfter }) => {
      const { key, perMinute } = zones.config.requestZones[name]!;
      const costUs = 60_000_000 / perMinute;
      const zone = zones.places.get(requestZone(name))!;
      const delayAfterUs = delayAfter * costUs;
      return { name, zone, key: scope.compile(key), costUs, burstUs: burst * costUs, delayAfterUs };
    });
    this.#outcome = { ...outcomes.rateLimited, status: config.status };
  }

  /**
   * Counts the request, unless one of the limits rejects it. Sets `requestLimitStatus` and `delayMs`.
   * @returns why it may not go on
   */
  check(context: RequestContext): Outcome | undefined {
    const { counts } = this.#zones;
    const wallMs = Math.floor(context.sources.clock.wallMs());
    const passed: Counted[] = [];
    for (const limit of this.#limits) {
      const key = limit.key(context);
      if (key === "") continue;
      const hash = zoneHash(limit.zone, key);
      const excessUs = counts.excessUs(limit.zone, hash, limit.costUs, wallMs);
      if (excessUs > limit.burstUs) return this.#reject(context, limit, excessUs);
      passed.push({ limit, hash });
    }
    let delayUs = 0;
    let slowest: Counted | undefined;
    for (const one of passed) {
      const { zone, costUs, burstUs, delayAfterUs } = one.limit;
      const isLast = one === passed.at(-1);
      const mostUs = isLast ? burstUs : Number.POSITIVE_INFINITY;
      const excessUs = counts.take(zone, one.hash, costUs, mostUs, wallMs);
      // Another worker was faster.
      if (excessUs > mostUs) return this.#reject(context, one.limit, excessUs);
      if (excessUs - delayAfterUs <= delayUs) continue;
      delayUs = excessUs - delayAfterUs;
      slowest = one;
    }
    if (passed.length > 0) context.requestLimitStatus = "PASSED";
    if (slowest !== undefined) this.#delay(context, slowest.limit, delayUs);
    return undefined;
  }

  #reject(context: RequestContext, limit: Limit, excessUs: number): Outcome | undefined {
    const { logLevel, dryRun } = this.#config;
    context.requestLimitStatus = dryRun ? "REJECTED_DRY_RUN" : "REJECTED";
    const how = dryRun ? "limiting requests, dry run" : "limiting requests";
    this.#log(logLevel, context, limit, `${how}, excess: ${(excessUs / limit.costUs).toFixed(3)}`);
    if (dryRun) return undefined;
    context.retryAfterMs = (excessUs - limit.burstUs) / 1_000;
    return this.#outcome;
  }

  #delay(context: RequestContext, limit: Limit, delayUs: number): void {
    const { logLevel, dryRun } = this.#config;
    context.requestLimitStatus = dryRun ? "DELAYED_DRY_RUN" : "DELAYED";
    const how = dryRun ? "delaying request, dry run" : "delaying request";
    const excess = ((delayUs + limit.delayAfterUs) / limit.costUs).toFixed(3);
    this.#log(lower[logLevel], context, limit, `${how}, excess: ${excess}`);
    if (!dryRun) context.delayMs = delayUs / 1_000;
  }

  #log(
    level: RequestLimitsConfig["logLevel"],
    { connection }: RequestContext,
    { name }: Limit,
    message: string,
  ): void {
    this.#zones.log(level, `${message}, by zone "${name}"`, { client: connection.remoteAddress });
  }
}

/** nginx reports a delay one level below a rejection. */
const lower = { info: "info", notice: "info", warn: "notice", error: "warn" } as const;
