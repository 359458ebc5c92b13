/** The interface of a policy: which engine of a pool takes a request. One small file each in `policies/`. */
import type { Scoreboard } from "../../scoreboard/scoreboard.ts";

/** What a policy may know of a request. */
export interface PickRequest {
  /** Bytes of the prompt's request body. */
  readonly bytes: number;
  /** Tokens of the prompt: as the engine counts them if the pool tokenises, else estimated from its bytes. */
  readonly tokens: number;
  /** Hashes of the prompt's blocks, each of the whole prefix up to its end; empty = not known. */
  readonly blocks: readonly number[];
  /**
   * How many of these, from the first on, each engine reports to have cached, by the engines' index; below 0 = it does
   * not report. Undefined = no engine does.
   */
  readonly reported?: ArrayLike<number> | undefined;
  /** The client's address as text, for policies that keep a client at its engine. */
  readonly clientAddress: string;
  /** Value of the policy's key template, or "". */
  readonly key: string;
  /** The same for a shadow; undefined = the shadow has no such template. */
  readonly shadowKey?: string | undefined;
  /** Index of the one engine that can take the request; undefined = any. The pool applies it before `pick`. */
  readonly requiredEngine?: number | undefined;
  /** Index of the engine that takes the request if it can; undefined = none. The pool applies it before `pick`. */
  readonly stickyEngine?: number | undefined;
  /**
   * By the engines' index: 0 = it does not serve the request's model. Undefined = all may. The pool applies it before
   * `pick`.
   */
  readonly holders?: ArrayLike<number> | undefined;
  /** The time, in ms since the epoch, for policies that go by it. */
  readonly clock: { wallMs(): number };
}

/** What a policy may know of its pool. Engines are counted from 0 in the order of the configuration. */
export interface PoolView {
  readonly size: number;
  readonly weights: ArrayLike<number>;
  readonly addresses: readonly string[];
  /** Slot of each engine on the scoreboard. */
  readonly slots: ArrayLike<number>;
  readonly board: Scoreboard;
}

/**
 * The engines that can take this request: not down, not ejected, not tried already, not full. Reused between picks.
 */
export interface Candidates {
  count: number;
  readonly engines: Int32Array;
  /** Whether an engine (by its index in the pool) is among them. */
  has(engine: number): boolean;
}

export interface Policy {
  /** Returns the index of one of the candidates, of which there is at least one. */
  pick(candidates: Candidates, request: PickRequest): number;
  /**
   * The number that decides, if it is one: `pick` returns a candidate with the lowest. For explanations. Some policies
   * repeat the formula in `pick`, since a call for each of 1,000 engines doubles its time; the contract suite holds the
   * two together.
   */
  score?(engine: number, request: PickRequest): number;
  /** Bytes of the prompt that this engine has to compute, a whole number. Without it: all of them. */
  uncachedBytes?(engine: number, request: PickRequest): number;
  /** The request was really given to this engine. */
  assigned?(engine: number, request: PickRequest): void;
  /** A response of the engine began; that of a prefill comes when the prompt is computed. */
  responseStarted?(engine: number): void;
  /** A request that was given to this engine has ended, in whatever way. */
  ended?(engine: number, bytes: number): void;
  /** A request failed at this engine, which is ejected after `maxFails` such. */
  failed?(engine: number, maxFails: number): void;
}

/** Time and chance are handed in. */
export interface PolicyDeps {
  readonly pool: PoolView;
  /** Uniform in [0, 1). */
  random(): number;
}
