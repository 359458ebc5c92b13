/** A pool of engines as one worker sees it: which of them can take a request, and which one its policy picks. */
import { policyLabel } from "../config/schema/pool/short-form.ts";
import type { PoolConfig } from "../config/schema/schema.ts";
import { TokenRatio, usualBytesPerToken } from "../estimates/token-ratio.ts";
import { promptBlockBytes } from "../limits.ts";
import { createPolicy, policyNeeds } from "../policies/create-policy.ts";
import type { PickRequest, Policy, PoolView } from "../policies/shared/policy.ts";
import {
  type ModelledPrefixCache,
  modelledCachesOf,
} from "../prefix-cache/modelled-prefix-cache.ts";
import { placesPrompts } from "../queue/orderings/registry.ts";
import { Lease } from "../scoreboard/lease.ts";
import type { Scoreboard } from "../scoreboard/scoreboard.ts";
import { Candidates, type Tier } from "./candidates.ts";
import type { DiscoveredByIdentity } from "./discovered-attributes.ts";
import { type Engine, hasCapacity, type PoolEngine, poolEnginesOf } from "./engine.ts";
import { EngineSnapshots } from "./engine-snapshots.ts";
import type { FailureKind } from "./health/ejection.ts";
import { Health } from "./health/health.ts";
import { type ModelHolders, ServedModels } from "./served-models.ts";
import { Shadow, type ShadowDeps, type ShadowPlace, type ShadowReport } from "./shadow.ts";
import { engineIdentity, type SlotsByIdentity } from "./slots.ts";

/** A request's place at an engine. */
export interface Placement {
  readonly pool: Pool;
  readonly engine: Engine;
  readonly lease: Lease;
  /** Where the pool's shadow policy would have sent it. */
  readonly shadow: ShadowPlace | undefined;
}

export interface CachedEngine {
  readonly engine: Engine;
  /** How many blocks of the prompt it has cached, from the first on. */
  readonly cachedBlocks: number;
}

/** Why no engine was found: none takes requests (or all were tried already), or all that do are full. */
export type PickFailure = "no-healthy-engine" | "at-capacity";

const noneTried: readonly number[] = [];

export interface PoolDeps {
  readonly board: Scoreboard;
  readonly slots: SlotsByIdentity;
  /** Uniform in [0, 1). */
  random(): number;
  /** Undefined = shadow policies do not run here. */
  readonly shadows?: ShadowDeps;
  /** Called once when an operator's own policy fails and `least_conn` takes its place. */
  policyFailed?(message: string): void;
}

export class Pool implements PoolView {
  readonly name: string;
  readonly config: PoolConfig;
  /** Whether its queue, and not its policy, picks the engine of each prompt that waits. */
  readonly placesPrompts: boolean;
  /** Name of its policy, for operators. */
  readonly policyLabel: string;
  readonly engines: readonly Engine[];
  readonly size: number;
  readonly weights: Float64Array;
  readonly addresses: readonly string[];
  readonly slots: Int32Array;
  readonly board: Scoreboard;
  /** What its engines ask for, in place of the client's key; "" = nothing. */
  engineKey = "";
  /** Prompt tokens per byte, measured from the usage that the engines report. */
  ratio = new TokenRatio();
  readonly #engines: readonly PoolEngine[];
  readonly health: Health;
  readonly #policy: Policy;
  readonly #policyUsesBlocks: boolean;
  readonly #candidates: Candidates;
  /** An estimate of what each engine has cached, if `cacheTokens` is set. */
  readonly #caches: readonly ModelledPrefixCache[] | undefined;
  readonly #shadow: Shadow | undefined;
  #successor: Pool | undefined;
  #models: ServedModels;
  /** Created for the first explanation. */
  #snapshots: EngineSnapshots | undefined;

  constructor(
    name: string,
    config: PoolConfig,
    { board, slots, random, shadows, policyFailed }: PoolDeps,
  ) {
    this.name = name;
    this.config = config;
    this.board = board;
    this.#engines = poolEnginesOf(name, config, slots);
    this.engines = this.#engines;
    this.size = this.engines.length;
    this.weights = Float64Array.from(this.engines, (engine) => engine.weight);
    this.addresses = this.engines.map((engine) => engine.name);
    this.#models = new ServedModels(this.engines);
    this.slots = Int32Array.from(this.engines, (engine) => engine.slot);
    this.health = new Health(board, this.engines, this.weights, config.ejection);
    this.#candidates = new Candidates(this.engines, this.health, board);
    this.placesPrompts = config.queue !== undefined && placesPrompts(config.queue.order);
    this.policyLabel = policyLabel(config);
    this.#policy = createPolicy(config.policy, { pool: this, random }, (message) =>
      policyFailed?.(`pool "${name}": ${message}`),
    );
    this.#policyUsesBlocks = policyNeeds(config.policy).blocks ?? false;
    if (config.cacheTokens > 0) {
      const bytes = config.cacheTokens * usualBytesPerToken;
      this.#caches = modelledCachesOf(this.size, Math.ceil(bytes / promptBlockBytes));
    }
    if (shadows && config.shadow) this.#shadow = new Shadow(this, config.shadow, shadows);
  }

  /** Replaces what was discovered about the engines before. */
  applyDiscovered(discovered: DiscoveredByIdentity): void {
    for (const engine of this.#engines) {
      engine.applyDiscovered(discovered[engineIdentity(this.name, engine.name)]);
    }
    this.#models = new ServedModels(this.engines);
  }

  /** Replaces another pool at a reload, with what that has measured of the model. */
  adopt(other: Pool): void {
    this.ratio = other.ratio;
    if (other === this) return;
    other.#successor = this;
    other.#retire(this);
  }

  /** Requests that began before go to engines that stay, unless none does. */
  #retire(next: Pool): void {
    const slots = new Set(next.engines.filter((one) => !one.isDraining).map(({ slot }) => slot));
    if (!this.engines.some(({ slot }) => slots.has(slot))) return;
    for (const engine of this.#engines) engine.isDraining ||= !slots.has(engine.slot);
  }

  /** The pool of this name in the current configuration: a request that waited over a reload is placed there. */
  get current(): Pool {
    return this.#successor?.current ?? this;
  }

  /** Whether a pick reads `PickRequest.blocks`. */
  get usesBlocks(): boolean {
    if (this.#caches !== undefined || this.#shadow !== undefined) return true;
    return this.placesPrompts || this.#policyUsesBlocks;
  }

  /** Whether requests wait before they go to its engines. */
  get hasQueue(): boolean {
    return this.config.queue !== undefined;
  }

  /** As its engines list them now; another object with each change. */
  get models(): ServedModels {
    return this.#models;
  }

  /** Whether `bestCached` can find anything. */
  get knowsCaches(): boolean {
    return this.#caches !== undefined;
  }

  /**
   * Of the engines that would be given a request now, the one that has most of a prompt cached; undefined = none has
   * any of it.
   * @param holders the engines that have the request's model; undefined = all
   */
  bestCached(
    blocks: readonly number[],
    nowMs: number,
    holders?: ModelHolders,
  ): CachedEngine | undefined {
    let bestCached: CachedEngine | undefined;
    this.#caches?.forEach((cache, index) => {
      const engine = this.engines[index]!;
      if (holders?.[index] === 0) return;
      if (engine.backup || !this.isAvailable(engine, nowMs)) return;
      if (!hasCapacity(engine, this.board)) return;
      const cachedBlocks = cache.leadingBlocks(blocks);
      if (cachedBlocks > (bestCached?.cachedBlocks ?? 0)) bestCached = { engine, cachedBlocks };
    });
    return bestCached;
  }

  /**
   * Picks an engine and takes a place there. Backups are considered if no other engine can take the request, and
   * ejected engines if it has failed at all that could.
   * @param tried slots of the engines that this leg has tried already
   * @param nowMs ms since the epoch
   */
  place(request: PickRequest, tried: readonly number[], nowMs: number): Placement | PickFailure {
    this.health.refresh(nowMs);
    const primary = this.#placeAmong("primary", request, tried, nowMs);
    if (typeof primary !== "string") return primary;
    const backup = this.#placeAmong("backup", request, tried, nowMs);
    if (typeof backup !== "string") return backup;
    const isLost = primary === "no-healthy-engine" && backup === "no-healthy-engine";
    if (isLost && tried.length > 0) return this.#placeAmong("ejected", request, tried, nowMs);
    return isLost ? backup : "at-capacity";
  }

  /** Takes a place at an engine that was chosen before; undefined = it has no capacity any more. */
  placeAt(engine: Engine, request: PickRequest, nowMs: number): Placement | undefined {
    if (this.#shadow !== undefined) {
      const tier = engine.backup ? "backup" : "primary";
      this.#candidates.collect(tier, request, noneTried, nowMs);
    }
    return this.#take(engine, request, nowMs);
  }

  /** What `place` would judge by, recorded before it takes a place; valid until the next call. */
  explain(request: PickRequest, tried: readonly number[], nowMs: number): EngineSnapshots {
    const snapshots = this.#snapshotsOf();
    snapshots.record(request, tried, nowMs, this.#policy);
    return snapshots;
  }

  /** What the shadow policy would have done; undefined = there is none. */
  shadowReport(): ShadowReport | undefined {
    return this.#shadow?.report();
  }

  /** Whether the engine takes requests at all, as far as is known. */
  isAvailable(engine: Engine, nowMs: number): boolean {
    return this.health.isAvailable(engine, nowMs);
  }

  /** Why no engine would be given a request now; undefined = one would. */
  vacancy(nowMs: number, holders?: ModelHolders): PickFailure | undefined {
    let isFull = false;
    for (const engine of this.engines) {
      if (holders?.[engine.index] === 0) continue;
      if (!this.isAvailable(engine, nowMs)) continue;
      if (hasCapacity(engine, this.board)) return undefined;
      isFull = true;
    }
    return isFull ? "at-capacity" : "no-healthy-engine";
  }

  /**
   * @param source the prefill engine whose KV cache the engine was to fetch, if that one may have failed instead
   * @returns whether the failure counts against the engine
   */
  failed(engine: Engine, nowMs: number, source?: Engine, kind: FailureKind = "failed"): boolean {
    if (!this.health.failed(engine, nowMs, source, kind)) return false;
    this.#policy.failed?.(engine.index, engine.maxFails);
    this.#shadow?.failed(engine.index, engine.maxFails);
    return true;
  }

  /** @param tookMs since the request was sent */
  succeeded(engine: Engine, nowMs: number, tookMs: number): void {
    this.#policy.responseStarted?.(engine.index);
    this.health.succeeded(engine, nowMs, tookMs);
  }

  #placeAmong(
    tier: Tier,
    request: PickRequest,
    tried: readonly number[],
    nowMs: number,
  ): Placement | PickFailure {
    const candidates = this.#candidates.set;
    const { stickyEngine } = request;
    let isFull = this.#candidates.collect(tier, request, tried, nowMs);
    while (candidates.count > 0) {
      const isSticky = stickyEngine !== undefined && candidates.has(stickyEngine);
      const index = isSticky ? stickyEngine : this.#policy.pick(candidates, request);
      const placement = this.#take(this.engines[index]!, request, nowMs);
      if (placement !== undefined) return placement;
      // Another worker has taken the last place meanwhile.
      isFull = true;
      candidates.remove(index);
    }
    return isFull ? "at-capacity" : "no-healthy-engine";
  }

  #take(engine: Engine, request: PickRequest, nowMs: number): Placement | undefined {
    const { slot, index, maxConns } = engine;
    const { bytes } = request;
    const uncached = this.#policy.uncachedBytes?.(index, request) ?? bytes;
    const tokens = Math.ceil(request.tokens);
    if (!this.board.take(slot, bytes, maxConns, uncached, tokens)) return undefined;
    this.#policy.assigned?.(index, request);
    this.#caches?.[index]?.insert(request.blocks);
    this.health.picked(engine, nowMs);
    const lease = new Lease(this.board, slot, bytes, uncached, this.#policy, index, tokens);
    const shadow = this.#shadow?.follow(this.#candidates.set, index, request);
    return { pool: this, engine, lease, shadow };
  }

  #snapshotsOf(): EngineSnapshots {
    this.#snapshots ??= new EngineSnapshots(this.engines, this);
    return this.#snapshots;
  }
}
