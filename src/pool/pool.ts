/** A pool of engines as one worker sees it: which are fit, which one the policy picks, what a failure means. */
import type { PoolConfig } from "../config/schema/schema.ts";
import type { EngineInfo } from "../dialects/dialect.ts";
import { TokenRatio, usualBytesPerToken } from "../estimates/token-ratio.ts";
import { promptBlockBytes, suspicionMs } from "../limits.ts";
import { createPolicy } from "../policies/registry.ts";
import type { PickRequest, Policy, PoolView } from "../policies/shared/policy.ts";
import {
  type ModelledPrefixCache,
  modelledCachesOf,
} from "../prefix-cache/modelled-prefix-cache.ts";
import { Lease } from "../scoreboard/lease.ts";
import type { Scoreboard } from "../scoreboard/scoreboard.ts";
import type { Address } from "./address.ts";
import type { DiscoveredByIdentity } from "./discovered-attributes.ts";
import { EngineSet } from "./engine-set.ts";
import type { EngineSnapshot } from "./engine-snapshot.ts";
import { EngineSnapshots } from "./engine-snapshots.ts";
import { enginesOf } from "./engines.ts";
import { Shadow, type ShadowDeps, type ShadowPlace, type ShadowReport } from "./shadow.ts";
import { engineIdentity, type SlotsByIdentity } from "./slots.ts";
import { SlowStart } from "./slow-start.ts";

/** One engine of a pool. */
export interface Engine {
  /** Its number in the pool. */
  readonly number: number;
  readonly slot: number;
  readonly address: Address;
  /** As logs name it: the address, with its rank if it has one. */
  readonly name: string;
  readonly maxFails: number;
  readonly failTimeoutMs: number;
  readonly maxConns: number;
  readonly backup: boolean;
  readonly down: boolean;
  /** False = it was found not to take requests of its dialect. */
  readonly isReady: boolean;
  readonly info: EngineInfo;
}

/** As the pool keeps it: what is found out while the engine runs changes it. */
type MutableEngine = { -readonly [Key in keyof Engine]: Engine[Key] } & {
  readonly configured: Readonly<Record<string, string>>;
};

/** An engine with the place that was taken there. */
export interface Placement {
  readonly pool: Pool;
  readonly engine: Engine;
  readonly lease: Lease;
  /** Where the pool's shadow would have sent it. */
  readonly shadow: ShadowPlace | undefined;
}

export interface CachedEngine {
  readonly engine: Engine;
  /** Of the prompt, from its start. */
  readonly cachedBlocks: number;
}

/** Why no engine was found: none alive (or all tried), or the live ones have no place. */
export type PickFailure = "none-live" | "all-full";

const anyRequest = {};
const noneTried: readonly number[] = [];

interface Suspicion {
  /** The prefill engine's name. */
  readonly source: string;
  readonly sinceMs: number;
}

export interface PoolDeps {
  readonly board: Scoreboard;
  readonly slots: SlotsByIdentity;
  random(): number;
  /** Where a second policy may follow. */
  readonly shadows?: ShadowDeps;
}

export class Pool implements PoolView {
  readonly name: string;
  readonly config: PoolConfig;
  readonly engines: readonly Engine[];
  readonly size: number;
  readonly weights: Float64Array;
  readonly addresses: readonly string[];
  readonly slots: Int32Array;
  readonly board: Scoreboard;
  /** Tokens of prompts by their bytes, as its engines have reported them. */
  ratio = new TokenRatio();
  readonly #engines: readonly MutableEngine[];
  readonly #policy: Policy;
  readonly #candidates: EngineSet;
  /** Of each engine, whose KV cache it has failed with since it last answered. */
  readonly #suspicions: (Suspicion | undefined)[];
  /** What each engine has cached; undefined = not known. */
  readonly #caches: readonly ModelledPrefixCache[] | undefined;
  readonly #shadow: Shadow | undefined;
  #successor: Pool | undefined;
  readonly #slowStart: SlowStart | undefined;
  /** Used again for each explanation. */
  #seen: EngineSnapshots | undefined;

  constructor(name: string, config: PoolConfig, { board, slots, random, shadows }: PoolDeps) {
    this.name = name;
    this.config = config;
    this.board = board;
    const configured = enginesOf(config);
    this.#engines = configured.map(
      ({ config: engine, address, dpRank, name: own, attributes }, number) => {
        const { maxFails, failTimeoutMs, maxConns, backup, down } = engine;
        return {
          number,
          slot: slots[engineIdentity(name, own)]!,
          address,
          name: own,
          maxFails,
          failTimeoutMs,
          maxConns,
          backup,
          down,
          isReady: true,
          configured: attributes,
          info: { host: address.host ?? "", port: address.port ?? 0, dpRank, attributes },
        };
      },
    );
    this.engines = this.#engines;
    this.size = this.engines.length;
    this.weights = Float64Array.from(configured, (engine) => engine.config.weight);
    this.addresses = this.engines.map((engine) => engine.name);
    this.slots = Int32Array.from(this.engines, (engine) => engine.slot);
    this.#candidates = new EngineSet(this.size);
    this.#suspicions = new Array<Suspicion | undefined>(this.size).fill(undefined);
    this.#policy = createPolicy(config.policy, { pool: this, random });
    if (config.cacheTokens > 0) {
      const bytes = config.cacheTokens * usualBytesPerToken;
      this.#caches = modelledCachesOf(this.size, Math.ceil(bytes / promptBlockBytes));
    }
    const windowsMs = configured.map((engine) => engine.config.slowStartMs);
    if (windowsMs.some((ms) => ms > 0)) {
      this.#slowStart = new SlowStart(board, this.slots, this.weights, windowsMs);
    }
    if (shadows && config.shadow) this.#shadow = new Shadow(this, config.shadow, shadows);
  }

  /** Takes over what was found out about the engines; what is not in there any more is not known any more. */
  applyDiscovered(discovered: DiscoveredByIdentity): void {
    for (const engine of this.#engines) {
      const known = discovered[engineIdentity(this.name, engine.name)];
      engine.isReady = known?.isReady ?? true;
      engine.info = {
        ...engine.info,
        attributes: { ...known?.attributes, ...engine.configured },
      };
    }
  }

  /** Takes the place of another pool, with what that has learnt of the model. */
  adopt(other: Pool): void {
    this.ratio = other.ratio;
    if (other !== this) other.#successor = this;
  }

  /** The pool of this name in the configuration that is in force: what waited over a reload is placed there. */
  get current(): Pool {
    return this.#successor?.current ?? this;
  }

  /** Whether the policy wants to know the prompt's blocks, or what is cached is. */
  get usesBlocks(): boolean {
    if (this.#caches !== undefined || this.#shadow !== undefined) return true;
    return this.#policy.usesBlocks ?? false;
  }

  /** Whether requests wait for room at its engines, but for those that are held until an engine is chosen. */
  get hasQueue(): boolean {
    return this.config.queue !== undefined && this.config.policy.name !== "predictive";
  }

  /** Whether it is known what its engines have cached. */
  get knowsCaches(): boolean {
    return this.#caches !== undefined;
  }

  /** The engine that has most of a prompt cached, of those that would be given a request now; undefined = none has any of it. */
  bestCached(blocks: readonly number[], nowMs: number): CachedEngine | undefined {
    let bestCached: CachedEngine | undefined;
    this.#caches?.forEach((cache, number) => {
      const engine = this.engines[number]!;
      if (engine.backup || !this.isAvailable(engine, nowMs) || !this.#hasCapacity(engine)) return;
      const cachedBlocks = cache.leadingBlocks(blocks);
      if (cachedBlocks > (bestCached?.cachedBlocks ?? 0)) bestCached = { engine, cachedBlocks };
    });
    return bestCached;
  }

  /**
   * Picks an engine and takes a place there. Backups are asked when no other engine is fit.
   * @param tried slots of the engines that this leg has tried already
   * @param nowMs ms since the epoch
   */
  place(request: PickRequest, tried: readonly number[], nowMs: number): Placement | PickFailure {
    this.#slowStart?.update(nowMs, (engine) => this.isAvailable(this.engines[engine]!, nowMs));
    const primary = this.#placeAmong(false, request, tried, nowMs);
    if (typeof primary !== "string") return primary;
    const backup = this.#placeAmong(true, request, tried, nowMs);
    return typeof backup !== "string" || primary === "none-live" ? backup : primary;
  }

  /** What `place` would go by, before it takes a place; good until the next call. */
  explain(request: PickRequest, tried: readonly number[], nowMs: number): EngineSnapshots {
    this.#seen ??= new EngineSnapshots(this.addresses);
    const { board } = this;
    const stateOf = (one: Engine) => this.#stateOf(one, request, tried, nowMs);
    const primaries = this.engines.some((one) => !one.backup && stateOf(one) === "fit");
    for (const one of this.engines) {
      const { number, slot } = one;
      const state = stateOf(one);
      this.#seen.see(
        number,
        state === "fit" && one.backup && primaries ? "backup" : state,
        board.inFlight(slot),
        board.promptBytes(slot),
        this.#policy.score?.(number, request),
      );
    }
    return this.#seen;
  }

  /** Whether a request would be given to the engine now, and why not. */
  stateOf(engine: Engine, nowMs: number): EngineSnapshot["state"] {
    return this.#stateOf(engine, anyRequest, noneTried, nowMs);
  }

  #stateOf(
    one: Engine,
    request: Pick<PickRequest, "requiredEngine">,
    tried: readonly number[],
    nowMs: number,
  ): EngineSnapshot["state"] {
    if (one.down) return "down";
    if (!one.isReady) return "not-ready";
    if (tried.includes(one.slot)) return "tried";
    if (this.#isEjected(one, nowMs)) return "resting";
    if (request.requiredEngine !== undefined && request.requiredEngine !== one.number)
      return "other";
    return this.#hasCapacity(one) ? "fit" : "full";
  }

  /** Takes a place at an engine that was chosen before; undefined = it has no room any more. */
  placeAt(engine: Engine, request: PickRequest, nowMs: number): Placement | undefined {
    if (this.#shadow !== undefined) this.#collect(engine.backup, request, noneTried, nowMs);
    return this.#take(engine, request, nowMs);
  }

  /** What a second policy would have done; undefined = there is none. */
  shadowReport(): ShadowReport | undefined {
    return this.#shadow?.report();
  }

  #take(engine: Engine, request: PickRequest, nowMs: number): Placement | undefined {
    const { slot, number, maxConns } = engine;
    const { bytes } = request;
    const uncached = this.#policy.uncachedBytes?.(number, request) ?? bytes;
    const tokens = Math.ceil(request.tokens);
    if (!this.board.take(slot, bytes, maxConns, uncached, tokens)) return undefined;
    this.#policy.assigned?.(number, request);
    this.#caches?.[number]?.insert(request.blocks);
    this.#chosen(engine, nowMs);
    const lease = new Lease(this.board, slot, bytes, uncached, this.#policy, number, tokens);
    const shadow = this.#shadow?.follow(this.#candidates, number, request);
    return { pool: this, engine, lease, shadow };
  }

  /** Whether the engine takes requests at all, as far as is known. */
  isAvailable(engine: Engine, nowMs: number): boolean {
    return !engine.down && engine.isReady && !this.#isEjected(engine, nowMs);
  }

  /** Whether an engine would be given a request now; says why not. */
  vacancy(nowMs: number): PickFailure | undefined {
    let full = false;
    for (const engine of this.engines) {
      if (!this.isAvailable(engine, nowMs)) continue;
      if (this.#hasCapacity(engine)) return undefined;
      full = true;
    }
    return full ? "all-full" : "none-live";
  }

  /** Whether there is an engine that was not tried and would be given a request now, or once there is room, where requests wait for that. */
  hasOther(tried: readonly number[], nowMs: number): boolean {
    const waits = this.hasQueue || this.config.policy.name === "predictive";
    return this.engines.some(
      (engine) =>
        !tried.includes(engine.slot) &&
        this.isAvailable(engine, nowMs) &&
        (waits || this.#hasCapacity(engine)),
    );
  }

  #hasCapacity(engine: Engine): boolean {
    return engine.maxConns === 0 || this.board.inFlight(engine.slot) < engine.maxConns;
  }

  #placeAmong(
    backup: boolean,
    request: PickRequest,
    tried: readonly number[],
    nowMs: number,
  ): Placement | PickFailure {
    const candidates = this.#candidates;
    let full = this.#collect(backup, request, tried, nowMs);
    while (candidates.count > 0) {
      const { stickyEngine } = request;
      const isThere = stickyEngine !== undefined && candidates.has(stickyEngine);
      const number = isThere ? stickyEngine : this.#policy.pick(candidates, request);
      const placement = this.#take(this.engines[number]!, request, nowMs);
      if (placement !== undefined) return placement;
      full = true;
      candidates.remove(number);
    }
    return full ? "all-full" : "none-live";
  }

  /** Finds the candidates; whether there are live ones without a place. */
  #collect(
    backup: boolean,
    request: PickRequest,
    tried: readonly number[],
    nowMs: number,
  ): boolean {
    const candidates = this.#candidates;
    let full = false;
    candidates.clear();
    for (let i = 0; i < this.size; i += 1) {
      const engine = this.engines[i]!;
      if (engine.backup !== backup || !this.isAvailable(engine, nowMs)) continue;
      if (tried.length > 0 && tried.includes(engine.slot)) continue;
      if (request.requiredEngine !== undefined && request.requiredEngine !== i) continue;
      if (this.#hasCapacity(engine)) candidates.add(i);
      else full = true;
    }
    return full;
  }

  /** nginx's rule: as many failures as `maxFails` rest an engine for `failTimeoutMs`; the only engine of a pool never rests. */
  #isEjected(engine: Engine, nowMs: number): boolean {
    return (
      engine.maxFails > 0 &&
      this.size > 1 &&
      this.board.fails(engine.slot) >= engine.maxFails &&
      nowMs - this.board.failCheckedAt(engine.slot) <= engine.failTimeoutMs
    );
  }

  #chosen(engine: Engine, nowMs: number): void {
    if (this.board.fails(engine.slot) === 0) return;
    // The first request after the rest is a probe: until it has ended, the engine rests for the others.
    if (nowMs - this.board.failCheckedAt(engine.slot) > engine.failTimeoutMs) {
      this.board.setFailCheckedAt(engine.slot, nowMs);
    }
  }

  /** @param source the engine that it was to get a KV cache from, if what has failed may be that one */
  failed(engine: Engine, nowMs: number, source?: Engine): void {
    if (source !== undefined && this.#excuses(engine, nowMs, source)) return;
    this.#policy.failed?.(engine.number, engine.maxFails);
    this.#shadow?.failed(engine.number, engine.maxFails);
    this.board.addFail(engine.slot);
    this.board.setFailAccessedAt(engine.slot, nowMs);
    this.board.setFailCheckedAt(engine.slot, nowMs);
  }

  /**
   * When a prefill engine dies, every decode engine that was to fetch from it fails, too, and would rest with it. To blame is one that
   * fails with the caches of two, or still after the time in which a dead prefill engine would have failed itself.
   */
  #excuses(engine: Engine, nowMs: number, source: Engine): boolean {
    if (this.board.fails(source.slot) > 0) return true;
    const before = this.#suspicions[engine.number];
    if (before === undefined) {
      this.#suspicions[engine.number] = { source: source.name, sinceMs: nowMs };
      return true;
    }
    return before.source === source.name && nowMs - before.sinceMs < suspicionMs;
  }

  succeeded(engine: Engine): void {
    this.#suspicions[engine.number] = undefined;
    const { board } = this;
    this.#policy.answered?.(engine.number);
    if (board.fails(engine.slot) === 0) return;
    // A success counts only when it is of a request that began after the last failure, as in nginx.
    if (board.failAccessedAt(engine.slot) < board.failCheckedAt(engine.slot)) {
      board.clearFails(engine.slot);
    }
  }
}
