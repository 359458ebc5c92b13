/** A prompt that waits for a prefill engine, and what is known of it there. */
import type { SentPrompt } from "../../../estimates/prefill-batches.ts";
import type { TokenKeys } from "../../../prefix-cache/token-keys.ts";
import type { PlacementOption, QueuedRequest } from "../shared/ordering.ts";

export interface Prompt {
  /** "" = any engine may have it. */
  readonly model: string;
  readonly tokens: number;
  readonly blocks: readonly number[];
  readonly blockTokens: number;
  /** Names of its blocks by their tokens; undefined = the tokens are not known. */
  readonly keys: TokenKeys | undefined;
  /** Taken off its predicted ms; below 0 = added to them. */
  readonly advanceMs: number;
  readonly tenant: string;
  readonly weight: number;
  /** Whether `placementOptions` is to be filled. */
  readonly explains: boolean;
}

const noOptions: readonly PlacementOption[] = [];

export class QueuedPrompt<Owner = unknown> implements SentPrompt, QueuedRequest<Owner> {
  readonly prompt: Prompt;
  readonly owner: Owner;
  readonly arrivedMs: number;
  /**
   * Leading tokens believed to be at each engine, and the last change of a cache that they include: for `PrefixHits`
   * alone.
   */
  hits: Int32Array | undefined;
  hitsAt = 0;
  /** Where it was sent; -1 = it waits. */
  engine = -1;
  /** Where it was to wait when it was last placed; -1 = it was not placed yet. */
  target = -1;
  /** Its key in the queue, and its shortest predicted prefill, as of when it was last looked at. */
  key = 0;
  leastMs = 0;
  /** The fewest tokens that any engine would have to compute. */
  leastUncached = 0;
  /** Until the end of its prefill where it was last placed: its wait there, and the prefill. */
  endsInMs = 0;
  predictedMs = 0;
  /** When it was sent, on the monotonic clock. */
  sentMs = 0;
  uncachedTokens = 0;
  /**
   * Blocks that the model of its engine's cache says are there; -1 = the engine reports by itself, which says nothing
   * of the model.
   */
  believedBlocks = -1;
  /** Of its blocks, those that were believed to be there when it was sent. */
  blocksBefore = 0;
  placementOptions = noOptions;

  constructor(prompt: Prompt, arrivedMs: number, owner: Owner) {
    this.prompt = prompt;
    this.owner = owner;
    this.arrivedMs = arrivedMs;
  }
}

/** Puts a prompt where it belongs among those before it, which are in the order of their keys. */
export function moveForward<Queued extends QueuedPrompt>(waiting: Queued[], from: number): void {
  const moved = waiting[from]!;
  let at = from;
  for (; at > 0 && waiting[at - 1]!.key > moved.key; at -= 1) waiting[at] = waiting[at - 1]!;
  waiting[at] = moved;
}
