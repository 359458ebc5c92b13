/**
 * Engines that take nothing new and finish what they have: those that operators drain, and those that are in no source
 * any more, which stay in their pool until they have nothing in flight and hold no KV cache for anybody.
 */
import type { Config, EngineConfig, PoolConfig } from "../../config/schema/schema.ts";
import { type ConfiguredEngine, enginesOf } from "../../pool/engines.ts";
import { engineIdentity } from "../../pool/slots.ts";
import { leavingLookMs, leavingMsMax } from "../limits.ts";

/** Why an engine drains, and since when, in ms since the epoch. */
export interface Drain {
  readonly why: "operator" | "removed";
  readonly sinceMs: number;
}

export interface DrainsDeps {
  log(level: "notice" | "warn", message: string): void;
  /** An engine begins or ceases to drain. */
  drained(): void;
  /** Engines have left: the configuration is to be applied again. */
  left(): void;
  /** Whether the engine has requests in flight, or holds a KV cache for one. */
  isBusy(identity: string): boolean;
  /** Since the epoch. */
  wallMs(): number;
}

/** For the process that takes over: by identity, since when operators drain engines. */
export type DrainState = readonly (readonly [identity: string, sinceMs: number])[];

interface Leaving {
  readonly pool: string;
  readonly engine: EngineConfig;
  readonly sinceMs: number;
}

export class Drains {
  readonly #deps: DrainsDeps;
  /** By identity, as the next ones. */
  readonly #byOperator: Map<string, number>;
  readonly #leaving = new Map<string, Leaving>();
  /** Of the configuration that was resolved last, without those that leave. */
  #present = new Map<string, { readonly pool: string; readonly engine: ConfiguredEngine }>();
  #timer: NodeJS.Timeout | undefined;

  constructor(deps: DrainsDeps, before: DrainState = []) {
    this.#deps = deps;
    this.#byOperator = new Map(before);
  }

  /** By identity. */
  get all(): ReadonlyMap<string, Drain> {
    const all = new Map<string, Drain>();
    for (const [identity, sinceMs] of this.#byOperator) {
      all.set(identity, { why: "operator", sinceMs });
    }
    for (const [identity, { sinceMs }] of this.#leaving) {
      all.set(identity, { why: "removed", sinceMs });
    }
    return all;
  }

  get state(): DrainState {
    return [...this.#byOperator];
  }

  /** The configuration with the engines that leave its pools. */
  resolve(config: Config): Config {
    const before = this.#present;
    this.#present = new Map();
    for (const [pool, one] of Object.entries(config.pools)) {
      for (const engine of enginesOf(one)) {
        this.#present.set(engineIdentity(pool, engine.name), { pool, engine });
      }
    }
    for (const [identity, { pool }] of this.#leaving) {
      if (this.#present.has(identity) || !Object.hasOwn(config.pools, pool)) {
        this.#leaving.delete(identity);
      }
    }
    for (const [identity, { pool, engine }] of before) {
      if (this.#present.has(identity) || !Object.hasOwn(config.pools, pool)) continue;
      this.#leave(identity, pool, engine);
    }
    this.#forgetGone();
    this.#deps.drained();
    this.#schedule();
    return this.#leaving.size === 0 ? config : { ...config, pools: this.#withLeaving(config) };
  }

  /**
   * @param engine its address, or one rank as `address@RANK`
   * @returns false = there is no such engine
   */
  drain(pool: string, engine: string): boolean {
    const identities = this.#identitiesOf(pool, engine);
    const sinceMs = this.#deps.wallMs();
    let isNew = false;
    for (const identity of identities) {
      if (this.#byOperator.has(identity)) continue;
      this.#byOperator.set(identity, sinceMs);
      isNew = true;
    }
    if (isNew) {
      this.#deps.log("notice", `engine ${engine} of pool "${pool}" drains: it takes nothing new`);
      this.#deps.drained();
    }
    return identities.length > 0;
  }

  /** @returns false = there is no such engine */
  undrain(pool: string, engine: string): boolean {
    const identities = this.#identitiesOf(pool, engine);
    const ended = identities.filter((identity) => this.#byOperator.delete(identity));
    if (ended.length > 0) {
      this.#deps.log("notice", `engine ${engine} of pool "${pool}" takes requests again`);
      this.#deps.drained();
    }
    return identities.length > 0;
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #leave(identity: string, pool: string, { config, address, name, attributes }: ConfiguredEngine) {
    const url = address.path === undefined ? `http://${name}` : name;
    // One rank of several, so the attributes of its URL have to be said beside it.
    const engine = { ...config, url, attributes, draining: true };
    this.#leaving.set(identity, { pool, engine, sinceMs: this.#deps.wallMs() });
    const why = "no source has it any more";
    this.#deps.log("notice", `engine ${name} drains and leaves pool "${pool}": ${why}`);
  }

  /** What an operator has drained is forgotten with the engine. */
  #forgetGone(): void {
    for (const identity of this.#byOperator.keys()) {
      if (!this.#present.has(identity) && !this.#leaving.has(identity)) {
        this.#byOperator.delete(identity);
      }
    }
  }

  #withLeaving(config: Config): Record<string, PoolConfig> {
    const pools = { ...config.pools };
    for (const { pool, engine } of this.#leaving.values()) {
      const one = pools[pool]!;
      pools[pool] = { ...one, engines: [...one.engines, engine] };
    }
    return pools;
  }

  #schedule(): void {
    if (this.#leaving.size === 0 || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#look();
      this.#schedule();
    }, leavingLookMs);
  }

  /** Lets those go that have nothing to finish any more. */
  #look(): void {
    const nowMs = this.#deps.wallMs();
    let hasLeft = false;
    for (const [identity, { pool, engine, sinceMs }] of this.#leaving) {
      const isLate = nowMs - sinceMs > leavingMsMax;
      // A worker may have given it a request just before it heard that the engine drains.
      const isYoung = nowMs - sinceMs < leavingLookMs / 2;
      if (isYoung || (!isLate && this.#deps.isBusy(identity))) continue;
      this.#leaving.delete(identity);
      this.#byOperator.delete(identity);
      hasLeft = true;
      const name = engine.url.replace("http://", "");
      if (isLate) {
        const what = `it has had requests in flight for ${leavingMsMax / 60_000} minutes`;
        this.#deps.log("warn", `engine ${name} has left pool "${pool}", though ${what}`);
      } else this.#deps.log("notice", `engine ${name} has left pool "${pool}"`);
    }
    if (hasLeft) this.#deps.left();
  }

  #identitiesOf(pool: string, engine: string): string[] {
    const names = [...this.#present.values()].filter(
      (one) => one.pool === pool && [one.engine.name, one.engine.address.key].includes(engine),
    );
    return names.map((one) => engineIdentity(pool, one.engine.name));
  }
}
