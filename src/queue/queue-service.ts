/** Where prompts wait for a prefill engine, for the whole proxy: what is asked there, and what it answers. */

import type { PromptUsage } from "../dialects/shared/prompt-usage.ts";
import type { PlacementSnapshot } from "../pool/engine-snapshot.ts";

/** What a client's priority may be. */
const priorityMax = 100;

export function boundedPriority(priority: number): number {
  return Math.max(-priorityMax, Math.min(priorityMax, priority));
}

/** A prompt, as far as its place in the queue depends on it. */
export interface QueueRequest {
  /**
   * Names of the pool in whose queue it waits, which prefills or does all, and of the pool that decodes after that; "" = none, or one
   * that is not waited for.
   */
  readonly pool: string;
  readonly decodePool: string;
  /** Of the request's body. */
  readonly bytes: number;
  /** Hashes of the prompt's blocks of `promptBlockBytes`, each of the whole prefix up to its end. */
  readonly blocks: readonly number[];
  /** Of the prompt, as an engine has made them; undefined = they are not known. */
  readonly tokenIds?: Int32Array | undefined;
  /** Lower goes earlier; 0 = as usual. */
  readonly priority: number;
  readonly tenant: string;
  /** Whether it is to be told why its engine was chosen. */
  readonly explains: boolean;
}

/**
 * Why a prompt gets no engine: none takes requests; as many wait as may; it has waited as long as it may; it would have to wait
 * longer than the operator wants anyone to; or it waited in a queue that a new configuration has replaced, and is to be asked for again.
 */
export type QueueRejection =
  | "no-healthy-engine"
  | "queue-full"
  | "timeout"
  | "overloaded"
  | "replaced";

/** Who waits. Told once: one of the two. */
export interface QueueListener {
  /**
   * @param engine its name in the pool; "" = any that has room, where prompts are not held
   * @param seen all engines, where that was asked for
   */
  granted(engine: string, seen: readonly PlacementSnapshot[]): void;
  /** @param retryAfterMs when it may be worth another try */
  refused(reason: QueueRejection, retryAfterMs: number): void;
}

/** How many tokens from a prompt's start engines have, by their names; one that is not in there does not tell. */
export type LeadingTokens = ReadonlyMap<string, number>;

/** A place in the queue, then at a prefill engine, then among those that decode. */
export interface Ticket {
  /** The waiter is told from here on, possibly before this returns. */
  wait(): void;
  /** The prefill is done. Only the first call counts. @param usage as its engine tells */
  done(usage: PromptUsage): void;
  /** The place at the prefill engine is not wanted: it has failed, or could not be had. Decode may follow. */
  skip(): void;
  /** The request is over. Further calls do nothing. */
  leave(): void;
}

export interface QueueService {
  ticket(queueRequest: QueueRequest, listener: QueueListener): Ticket;
  /** What the pool's engines have of a prompt by their own word. @param answer is told, once, possibly before this returns */
  leadingTokens(
    pool: string,
    tokenIds: Int32Array,
    response: (tokens: LeadingTokens) => void,
  ): void;
}
