/** Where requests wait, for the whole proxy: what is asked there, and what it responds. */
import type { PromptUsage } from "../dialects/shared/prompt-usage.ts";
import type { PlacementSnapshot } from "../pool/engine-snapshot.ts";
import type { QueueRequest } from "./orderings/shared/ordering.ts";

/**
 * Why a request is rejected: no engine takes requests; the queue is full; it has waited as long as it may; or it would
 * have to wait longer than the operator allows.
 */
export type QueueRejection = "no-healthy-engine" | "queue-full" | "timeout" | "overloaded";

/** Who waits. Each `enqueue` leads to one call, of one of the two. */
export interface QueueListener {
  /**
   * @param engine its name in the pool; "" = the pool's policy picks
   * @param options the engines that came closest, if that was asked for
   */
  granted(engine: string, options: readonly PlacementSnapshot[]): void;
  /** @param retryAfterMs when another try may be worth it; 0 = not known */
  rejected(reason: QueueRejection, retryAfterMs: number): void;
}

/**
 * How many tokens from a prompt's start each engine has, by the engine's name; those that do not report are missing.
 */
export type LeadingTokens = ReadonlyMap<string, number>;

/** A request's place in the queue, then at a prefill engine, then among those that decode. */
export interface Ticket {
  /** Called once. The listener is called from here on, possibly before this returns. */
  enqueue(): void;
  /** The prefill is done. Only the first call of this and the next counts. @param usage as its engine reports it */
  prefillDone(usage: PromptUsage): void;
  /** The prefill engine that the queue chose has failed, or is not wanted. Decode may follow. */
  releasePrefill(): void;
  /** The request is over: gives back all that it has. Further calls do nothing. */
  cancel(): void;
}

export interface QueueService {
  ticket(request: QueueRequest, listener: QueueListener): Ticket;
  /** What the pool's engines report of a prompt. @param found called once, possibly before this returns */
  leadingTokens(pool: string, tokenIds: Int32Array, found: (tokens: LeadingTokens) => void): void;
}
