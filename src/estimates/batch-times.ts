/**
 * How long an engine takes for a prefill batch of so many requests, learned from batches that ended. As in omni_proxy;
 * times in ms.
 */

/** Larger batches are reckoned from this one. */
const learntMax = 64;
/** A mean forgets as if over so many batches. */
const memory = 128;
/** Of an answer's way back, for each request of the batch. */
const responseMs = 30;
/** One request more or fewer than a size of which something is known. */
const stepMs = 50;
const leastMs = 50;
const mostMs = 30_000;
/** Before anything is known: batches of 1 to 4. */
const guessedMs = [220, 280, 330, 380];

export class BatchTimes {
  readonly #counts = new Uint8Array(learntMax + 1);
  readonly #means = new Float64Array(learntMax + 1);
  /** By batch size, kept current, so that reading is one load. */
  readonly #estimates = new Float64Array(learntMax + 1);

  constructor() {
    this.#refresh();
  }

  /** 0 for an empty batch. */
  estimateMs(batch: number): number {
    if (batch <= learntMax) return this.#estimates[batch]!;
    return Math.min(this.#estimates[learntMax]! + stepMs * (batch - learntMax), mostMs);
  }

  observe(batch: number, tookMs: number): void {
    if (batch < 1 || batch > learntMax) return;
    const count = Math.min(this.#counts[batch]! + 1, memory);
    this.#counts[batch] = count;
    this.#means[batch] = this.#means[batch]! + (tookMs - this.#means[batch]!) / count;
    this.#refresh();
  }

  #refresh(): void {
    let below = 0;
    for (let batch = 1; batch <= learntMax; batch += 1) {
      if (this.#counts[batch]! > 0) below = batch;
      this.#estimates[batch] = Math.min(this.#reckon(batch, below), mostMs);
    }
  }

  /** @param below the largest size up to this one of which something is known; 0 = none */
  #reckon(batch: number, below: number): number {
    if (below === batch) {
      const mean = this.#means[batch]!;
      return mean > responseMs * batch ? mean - responseMs * batch : mean;
    }
    if (below > 0) return this.#estimates[below]! + stepMs * (batch - below);
    for (let above = batch + 1; above <= learntMax; above += 1) {
      if (this.#counts[above]! === 0) continue;
      return Math.max(this.#reckon(above, above) - stepMs * (above - batch), leastMs);
    }
    const last = guessedMs.length;
    return batch <= last ? guessedMs[batch - 1]! : guessedMs[last - 1]! + stepMs * (batch - last);
  }
}
