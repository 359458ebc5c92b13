/**
 * A second policy on the traffic of a pool, deciding nothing: it picks among the same engines for each request, and
 * goes by a load of its own, of what it would have sent where. A fault of it switches it off, and touches no request.
 */
import type { PolicyConfig } from "../config/schema/pool/policies.ts";
import { PrefillCost } from "../estimates/prefill-cost.ts";
import { usualBytesPerToken } from "../estimates/token-ratio.ts";
import { promptBlockBytes, shadowBlocksMax } from "../limits.ts";
import { createPolicy } from "../policies/create-policy.ts";
import type { Candidates, PickRequest, Policy, PoolView } from "../policies/shared/policy.ts";
import {
  type ModelledPrefixCache,
  modelledCachesOf,
} from "../prefix-cache/modelled-prefix-cache.ts";
import { Lease } from "../scoreboard/lease.ts";
import type { Scoreboard } from "../scoreboard/scoreboard.ts";

/** What really happened, and what would have happened. */
export interface RealAndShadow {
  readonly real: number;
  readonly shadow: number;
}

/** Of one pool. Sums over the picks, since the configuration was put in force. */
export interface ShadowReport {
  readonly pool: string;
  readonly policy: string;
  readonly shadow: string;
  readonly picks: number;
  /** Of these, how many it would have sent to another engine. */
  readonly differed: number;
  /** Of all prompts, estimated from their bytes. */
  readonly promptTokens: number;
  /** Of these, what the engine had been sent before. */
  readonly cachedTokens: RealAndShadow;
  /** By the shape of `estimates/prefill-cost.ts`, without any wait. */
  readonly prefillMs: RealAndShadow;
  readonly engines: readonly ({ readonly engine: string } & RealAndShadow)[];
  /** Why it was switched off; none = it was not. */
  readonly fault?: string;
}

export interface ShadowDeps {
  /** Of all shadows alone; an engine has the slot there that it has on the real one. */
  readonly board: Scoreboard;
  random(): number;
  /** Called once, when it is switched off. */
  failed(message: string): void;
}

/** The pool that is followed. */
interface FollowedPool extends PoolView {
  readonly policyLabel: string;
  readonly name: string;
  readonly config: { readonly policy: PolicyConfig; readonly cacheTokens: number };
}

export class Shadow implements Pick<Policy, "ended"> {
  readonly #pool: FollowedPool;
  readonly #deps: ShadowDeps;
  readonly #name: string;
  readonly #policy: Policy | undefined;
  readonly #cost: PrefillCost;
  readonly #real: Side;
  readonly #own: Side;
  #picks = 0;
  #differed = 0;
  #promptTokens = 0;
  #fault: string | undefined;

  constructor(pool: FollowedPool, config: PolicyConfig, deps: ShadowDeps) {
    this.#pool = pool;
    this.#deps = deps;
    this.#name = config.name;
    this.#cost = new PrefillCost(pool.size);
    const { cacheTokens } = pool.config;
    const blocks = Math.ceil((cacheTokens * usualBytesPerToken) / promptBlockBytes);
    this.#real = new Side(pool.size, blocks || shadowBlocksMax);
    this.#own = new Side(pool.size, blocks || shadowBlocksMax);
    const { size, weights, addresses, slots } = pool;
    const view = { size, weights, addresses, slots, board: deps.board };
    this.#policy = this.#safely(() =>
      createPolicy(config, { pool: view, random: deps.random }, (message) => {
        throw new Error(message);
      }),
    );
  }

  /**
   * A request was given to an engine.
   * @param candidates among which that was chosen
   * @returns the place that it would have; undefined = it has not picked
   */
  follow(candidates: Candidates, real: number, request: PickRequest): ShadowPlace | undefined {
    const policy = this.#policy;
    if (policy === undefined || this.#fault !== undefined) return undefined;
    // Such a choice is no policy's.
    if (request.requiredEngine !== undefined || request.stickyEngine !== undefined)
      return undefined;
    if (!candidates.has(real)) return undefined;
    const { shadowKey } = request;
    const own = shadowKey === undefined ? request : { ...request, key: shadowKey };
    let lease: Lease | undefined;
    const place = this.#safely(() => {
      const engine = policy.pick(candidates, own);
      if (!candidates.has(engine)) throw new Error(`it picks ${engine}, which is no candidate`);
      lease = this.#take(engine, own, policy);
      policy.assigned?.(engine, own);
      this.#count(real, engine, own);
      return new ShadowPlace(this, engine, lease);
    });
    // The board outlives this shadow.
    if (place === undefined) lease?.close();
    return place;
  }

  responseStarted(engine: number): void {
    if (this.#fault === undefined) this.#safely(() => this.#policy?.responseStarted?.(engine));
  }

  ended(engine: number, bytes: number): void {
    if (this.#fault === undefined) this.#safely(() => this.#policy?.ended?.(engine, bytes));
  }

  /** A request failed at this engine, whoever had sent it there. */
  failed(engine: number, maxFails: number): void {
    if (this.#fault === undefined) this.#safely(() => this.#policy?.failed?.(engine, maxFails));
  }

  report(): ShadowReport {
    const real = this.#real;
    const own = this.#own;
    return {
      pool: this.#pool.name,
      policy: this.#pool.policyLabel,
      shadow: this.#name,
      picks: this.#picks,
      differed: this.#differed,
      promptTokens: this.#promptTokens,
      cachedTokens: { real: real.cachedTokens, shadow: own.cachedTokens },
      prefillMs: { real: real.prefillMs, shadow: own.prefillMs },
      engines: this.#pool.addresses.map((engine, number) => ({
        engine,
        real: real.picks[number]!,
        shadow: own.picks[number]!,
      })),
      ...(this.#fault !== undefined && { fault: this.#fault }),
    };
  }

  #take(engine: number, request: PickRequest, policy: Policy): Lease {
    const { bytes } = request;
    const { board } = this.#deps;
    const slot = this.#pool.slots[engine]!;
    const uncached = policy.uncachedBytes?.(engine, request) ?? bytes;
    const tokens = Math.ceil(request.tokens);
    board.take(slot, bytes, 0, uncached, tokens);
    return new Lease(board, slot, bytes, uncached, this, engine, tokens);
  }

  #count(real: number, engine: number, request: PickRequest): void {
    this.#picks += 1;
    if (engine !== real) this.#differed += 1;
    this.#promptTokens += request.tokens;
    this.#real.count(real, request, this.#cost);
    this.#own.count(engine, request, this.#cost);
  }

  #safely<T>(step: () => T): T | undefined {
    try {
      return step();
    } catch (error) {
      this.#fault = error instanceof Error ? error.message : String(error);
      const { name } = this.#pool;
      this.#deps.failed(`shadow ${this.#name} of pool "${name}" is switched off: ${this.#fault}`);
      return undefined;
    }
  }
}

/** Given back when the real place is. */
export class ShadowPlace {
  readonly #shadow: Shadow;
  readonly #engine: number;
  readonly #lease: Lease;

  constructor(shadow: Shadow, engine: number, lease: Lease) {
    this.#shadow = shadow;
    this.#engine = engine;
    this.#lease = lease;
  }

  responseStarted(): void {
    this.#shadow.responseStarted(this.#engine);
  }

  close(): void {
    this.#lease.close();
  }
}

/** What one of the two policies has sent where, and what the engines had cached of it. */
class Side {
  readonly picks: Float64Array;
  cachedTokens = 0;
  prefillMs = 0;
  readonly #caches: readonly ModelledPrefixCache[];

  constructor(engines: number, blocksMax: number) {
    this.picks = new Float64Array(engines);
    this.#caches = modelledCachesOf(engines, blocksMax);
  }

  count(engine: number, { tokens, blocks }: PickRequest, cost: PrefillCost): void {
    const cache = this.#caches[engine]!;
    const cachedBytes = cache.leadingBlocks(blocks) * promptBlockBytes;
    const cached = Math.min(tokens, cachedBytes / usualBytesPerToken);
    cache.insert(blocks);
    this.picks[engine] = this.picks[engine]! + 1;
    this.cachedTokens += cached;
    this.prefillMs += cost.predict(engine, tokens - cached, tokens);
  }
}
