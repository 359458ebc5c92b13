/**
 * What was sent to each prefill engine and is not done: a batch at a time, of one prompt, or of several short ones
 * where the engine was seen to compute them in one step. How many tokens such a step takes is learned from whether they
 * end together.
 */

/** Uncached tokens of a batch at first, and at least: about what an engine computes in its shortest step. */
const firstTokens = 1_024;
const mostTokens = 1 << 17;
/** Prompts end together when the later one comes within this share of its own prefill. */
const togetherShare = 0.25;
/** By how much one batch moves what is believed. Down slowly: two ends may be far apart for other reasons. */
const growth = 2;
const shrinkage = 0.75;

export interface SentPrompt {
  /** Of its prefill alone, in ms, and of its uncached tokens. */
  readonly predictedMs: number;
  readonly uncachedTokens: number;
}

/** Of a batch that has ended. */
export interface EndedBatch {
  readonly tookMs: number;
  /** Prompts that it began with. */
  readonly size: number;
}

interface Batch {
  readonly open: SentPrompt[];
  size: number;
  beganMs: number;
  uncachedTokens: number;
  /** When one of it was done last; -1 = none yet. */
  doneMs: number;
  /** Nothing joins any more: something that goes before has found no room. */
  isClosed: boolean;
  tokensMax: number;
}

export class PrefillBatches {
  /** When each engine is predicted to be idle; -1 = it is. */
  readonly endsMs: Float64Array;
  readonly #batches: readonly Batch[];
  /** Engines that something is being sent to. */
  readonly #joinable: Batch[] = [];

  constructor(engines: number) {
    this.endsMs = new Float64Array(engines).fill(-1);
    this.#batches = Array.from({ length: engines }, () => ({
      open: [],
      size: 0,
      beganMs: 0,
      uncachedTokens: 0,
      doneMs: -1,
      isClosed: true,
      tokensMax: firstTokens,
    }));
  }

  /** What was learned of an engine, elsewhere. */
  adopt(engine: number, other: PrefillBatches, from: number): void {
    this.#batches[engine]!.tokensMax = other.#batches[from]!.tokensMax;
  }

  /** Prompts that were sent to the engine and are not done. */
  open(engine: number): number {
    return this.#batches[engine]!.open.length;
  }

  /** Uncached tokens that the engine is believed to take in one step. */
  tokensMax(engine: number): number {
    return this.#batches[engine]!.tokensMax;
  }

  /**
   * Whether the engine can take a prompt now: it is idle, or the batch that is being sent to it has room. Asked in the
   * order in which prompts are to go; behind one that finds no room no other one joins.
   */
  takes(engine: number, uncachedTokens: number): boolean {
    const batch = this.#batches[engine]!;
    if (batch.open.length === 0) return true;
    batch.isClosed ||= batch.uncachedTokens + uncachedTokens > batch.tokensMax;
    return !batch.isClosed;
  }

  /** Whether prompts may still join what is being sent to the engine. */
  isJoinable(engine: number): boolean {
    return !this.#batches[engine]!.isClosed;
  }

  /** What has been sent is under way: nothing joins it any more. */
  closeAll(): void {
    for (const batch of this.#joinable) batch.isClosed = true;
    this.#joinable.length = 0;
  }

  send(engine: number, prompt: SentPrompt, nowMs: number): void {
    const batch = this.#batches[engine]!;
    if (batch.open.length === 0) {
      batch.size = 0;
      batch.beganMs = nowMs;
      batch.uncachedTokens = 0;
      batch.doneMs = -1;
      batch.isClosed = false;
      this.#joinable.push(batch);
      this.endsMs[engine] = nowMs;
    }
    batch.open.push(prompt);
    batch.size += 1;
    this.endsMs[engine] = this.endsMs[engine]! + prompt.predictedMs;
    batch.uncachedTokens += prompt.uncachedTokens;
  }

  /** The engine is done with it. Undefined = others of its batch are not. */
  done(engine: number, prompt: SentPrompt, nowMs: number): EndedBatch | undefined {
    const batch = this.#batches[engine]!;
    if (!this.drop(engine, prompt)) return undefined;
    if (batch.doneMs >= 0) {
      const isTogether = nowMs - batch.doneMs <= togetherShare * prompt.predictedMs;
      const tokens = batch.tokensMax * (isTogether ? growth : shrinkage);
      batch.tokensMax = Math.min(mostTokens, Math.max(firstTokens, tokens));
    }
    batch.doneMs = nowMs;
    return batch.open.length > 0 ? undefined : { tookMs: nowMs - batch.beganMs, size: batch.size };
  }

  /** It has failed, or nobody waits for it any more; false = it was not there. */
  drop(engine: number, prompt: SentPrompt): boolean {
    const { open } = this.#batches[engine]!;
    const at = open.indexOf(prompt);
    if (at < 0) return false;
    open.splice(at, 1);
    if (open.length === 0) this.endsMs[engine] = -1;
    return true;
  }
}
