/** How many requests of a key may be under way: nginx's `limit_conn`, compiled. */
import type { ConnectionLimitsConfig } from "../../../config/schema/schema.ts";
import { type Zone, zoneHash } from "../../../scoreboard/zone-counts.ts";
import { type Outcome, outcomes } from "../../context/outcomes.ts";
import type { RequestContext } from "../../context/request-context.ts";
import type { Render } from "../render.ts";
import type { VariableScope } from "../template.ts";
import { connectionZone, type LimitZones } from "./limit-zones.ts";

interface Limit {
  readonly name: string;
  readonly zone: Zone;
  readonly key: Render;
  readonly max: number;
}

export class ConnectionLimits {
  readonly #config: ConnectionLimitsConfig;
  readonly #zones: LimitZones;
  readonly #limits: readonly Limit[];
  readonly #outcome: Outcome;

  constructor(config: ConnectionLimitsConfig, zones: LimitZones, scope: VariableScope) {
    this.#config = config;
    this.#zones = zones;
    this.#limits = config.zones.map(({ zone: name, max }) => {
      const key = scope.compile(zones.config.connectionZones[name]!.key);
      return { name, zone: zones.places.get(connectionZone(name))!, key, max };
    });
    this.#outcome = { ...outcomes.tooManyConnections, status: config.status };
  }

  /** Counts the request until it ends. Sets `connectionLimitStatus`. @returns why it may not go on */
  check(context: RequestContext): Outcome | undefined {
    const { counts } = this.#zones;
    const slots: number[] = [];
    const release = () => {
      for (const slot of slots.splice(0)) counts.leave(slot);
    };
    for (const limit of this.#limits) {
      const key = limit.key(context);
      if (key === "") continue;
      const slot = counts.enter(limit.zone, zoneHash(limit.zone, key), limit.max);
      if (slot < 0) {
        release();
        return this.#reject(context, limit);
      }
      context.connectionLimitStatus = "PASSED";
      slots.push(slot);
    }
    if (slots.length > 0) context.releaseLimits = release;
    return undefined;
  }

  #reject(context: RequestContext, { name }: Limit): Outcome | undefined {
    const { logLevel, dryRun } = this.#config;
    context.connectionLimitStatus = dryRun ? "REJECTED_DRY_RUN" : "REJECTED";
    const how = dryRun ? "limiting connections, dry run," : "limiting connections";
    const client = context.connection.remoteAddress;
    this.#zones.log(logLevel, `${how} by zone "${name}"`, { client });
    return dryRun ? undefined : this.#outcome;
  }
}
