/** A prompt that is held at the proxy, and what is known of it there. */
import type { SentPrompt } from "../estimates/prefill-batches.ts";
import type { TokenKeys } from "../prefix-cache/token-keys.ts";

export interface Prompt {
  readonly tokens: number;
  readonly blocks: readonly number[];
  readonly blockTokens: number;
  /** Of its tokens themselves; undefined = they are not known. */
  readonly keys: TokenKeys | undefined;
  /** Taken off its predicted ms, or added to them. */
  readonly advanceMs: number;
  readonly tenant: string;
  /** Whether `seen` is to be filled. */
  readonly explains: boolean;
}

/** What spoke for an engine when a prompt was placed. */
export interface PlacementOption {
  readonly number: number;
  readonly waitMs: number;
  readonly uncachedTokens: number;
  readonly prefillMs: number;
  readonly score: number;
}

export class QueuedPrompt<P extends Prompt = Prompt> implements SentPrompt {
  readonly prompt: P;
  readonly arrivedMs: number;
  /** Leading tokens believed to be at each engine, for `HeldHits` alone; and the change of a cache that was seen last. */
  hits: Int32Array | undefined;
  hitsAt = 0;
  /** Where it was sent; -1 = held. */
  engine = -1;
  /** Where it was to wait when it was last placed; -1 = it was not. */
  target = -1;
  /** What it goes by in the queue, and its shortest predicted prefill, as they were when it was last looked at. */
  key = 0;
  leastMs = 0;
  /** The fewest tokens that any engine would have to compute. */
  leastUncached = 0;
  /** Until the end of its prefill where it was last placed: its wait there, and the prefill. */
  endsInMs = 0;
  predictedMs = 0;
  uncachedTokens = 0;
  /** By the mirror of what was sent to its engine; -1 = the engine itself had told, which says nothing of the mirror. */
  believedBlocks = -1;
  /** Of its blocks, those that were believed to be there when it was sent. */
  blocksBefore = 0;
  seen: readonly PlacementOption[] = [];

  constructor(prompt: P, arrivedMs: number) {
    this.prompt = prompt;
    this.arrivedMs = arrivedMs;
  }
}

/** Puts a prompt where it belongs among those before it, which are in the order of their keys. */
export function moveForward<H extends QueuedPrompt>(held: H[], from: number): void {
  const moved = held[from]!;
  let at = from;
  for (; at > 0 && held[at - 1]!.key > moved.key; at -= 1) held[at] = held[at - 1]!;
  held[at] = moved;
}
