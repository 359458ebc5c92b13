/** How long each engine is predicted to be busy, and which engines are idle, as one pass over the queue sees them. */
import type { PrefillBatches } from "../../../estimates/prefill-batches.ts";
import type { EngineView } from "../shared/ordering.ts";
import type { PrefillPlacement } from "./prefill-placement.ts";

/** Engines whose state is asked for in one pass: of more, in turn. */
const askedMax = 64;
/** Idle engines that prompts behind the first ones are compared with. */
export const idleMax = 8;

export class EngineWaits {
  /** Engines that are available and idle, as far as there is room for them; and how many there are. */
  readonly idle = new Int32Array(idleMax);
  idleCount = 0;
  readonly #count: number;
  readonly #engines: EngineView;
  readonly #placement: PrefillPlacement;
  readonly #batches: PrefillBatches;
  /** Predicted ms of what did not come through this queue, by engine. */
  readonly #otherMs: Float64Array;
  /** The engine that was asked about last, and whether all were. */
  #askAt = -1;
  #isAsked = false;

  constructor(engines: EngineView, placement: PrefillPlacement, batches: PrefillBatches) {
    this.#count = engines.size;
    this.#engines = engines;
    this.#placement = placement;
    this.#batches = batches;
    this.#otherMs = new Float64Array(this.#count);
  }

  /**
   * Predicts waits at the available engines; how many are available. A batch that takes longer than predicted is
   * expected to take as long again as it is late: an engine that hangs must not look as if its batch ended at any
   * moment.
   */
  refresh(nowMs: number): number {
    this.#ask();
    const { isAvailable, waitMs } = this.#placement;
    const { endsMs } = this.#batches;
    const otherMs = this.#otherMs;
    let available = 0;
    let idle = 0;
    for (let engine = 0; engine < this.#count; engine += 1) {
      if (isAvailable[engine] === 0) continue;
      available += 1;
      const ends = endsMs[engine]!;
      if (ends < 0) {
        if (idle < idleMax) this.idle[idle] = engine;
        idle += 1;
        waitMs[engine] = otherMs[engine]!;
      } else waitMs[engine] = Math.abs(ends - nowMs) + otherMs[engine]!;
    }
    this.idleCount = idle;
    return available;
  }

  /**
   * When an engine is free for the next prompt, once all have done so much more, of which the one that is free soonest
   * always takes some.
   */
  startsInMs(workMs: number, nowMs: number): number {
    const available = this.refresh(nowMs);
    const { isAvailable, waitMs } = this.#placement;
    const waits = waitMs.filter((_, engine) => isAvailable[engine] === 1).sort();
    let sumMs = 0;
    for (let count = 1; count < available; count += 1) {
      sumMs += waits[count - 1]!;
      // Those that are free by then have room for the work before the next one is.
      if (waits[count]! * count - sumMs >= workMs) return (workMs + sumMs) / count;
    }
    if (available === 0) return Number.POSITIVE_INFINITY;
    return (workMs + sumMs + waits[available - 1]!) / available;
  }

  /** Asks about some engines in each pass, in turn, because that costs more than all the rest of the pass. */
  #ask(): void {
    const { isAvailable, hits, cost } = this.#placement;
    const count = Math.min(this.#count, this.#isAsked ? askedMax : this.#count);
    this.#isAsked = true;
    for (let i = 0; i < count; i += 1) {
      this.#askAt = this.#askAt + 1 < this.#count ? this.#askAt + 1 : 0;
      const engine = this.#askAt;
      const takesRequests = this.#engines.isAvailable(engine);
      isAvailable[engine] = takesRequests ? 1 : 0;
      if (!takesRequests) continue;
      hits.checkReported(engine);
      const others = this.#engines.otherRequests(engine, this.#batches.open(engine));
      // An engine in slow start looks as if it had so much to do that its share of the load were left.
      const slowStart = 1 / this.#engines.share(engine) - 1;
      this.#otherMs[engine] = (others + slowStart) * cost.typicalMs(engine);
    }
  }
}
