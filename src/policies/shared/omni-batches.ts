/**
 * omni_proxy's `earliest_batch`: the engine whose batch with this prompt is expected to end first.
 *
 * With q requests queued behind a batch of x, and E(b) the expected time of a batch of b, it ends after what remains of
 * E(x), then `Δ·q² + E(q + 1)` with `Δ = E(q + 1) − E(q)`. The responses of one batch come within 20 ms. Requests of
 * all workers count; each worker sees where a batch ends in the responses to its own requests.
 */
import { BatchTimes } from "../../estimates/batch-times.ts";
import type { OmniLoad } from "./omni-load.ts";
import type { Candidates, PickRequest, PoolView } from "./policy.ts";

/** Responses that are farther apart are of two batches. */
const betweenResponsesMs = 20;
/** From the end of a batch in the engine to its first answer here. */
const responseMs = 30;
/** What is believed of one batch's time. */
const tookLeastMs = 10;
const tookMostMs = 600_000;

export class OmniBatches {
  readonly #pool: PoolView;
  readonly #times = new BatchTimes();
  /** Requests in the batch that runs at each engine. */
  readonly #executing: Float64Array;
  readonly #startedMs: Float64Array;
  readonly #answeredMs: Float64Array;
  #clock: PickRequest["clock"] | undefined;

  constructor(pool: PoolView) {
    this.#pool = pool;
    this.#executing = new Float64Array(pool.size);
    this.#startedMs = new Float64Array(pool.size);
    this.#answeredMs = new Float64Array(pool.size);
  }

  /** @returns -1 where no engine has room */
  pick({ count, engines }: Candidates, nowMs: number, load: OmniLoad): number {
    let best = -1;
    let soonestMs = Number.POSITIVE_INFINITY;
    for (let i = 0; i < count; i += 1) {
      const engine = engines[i]!;
      if (!load.hasCapacity(engine)) continue;
      const ms = this.#untilDoneMs(engine, nowMs);
      if (ms >= soonestMs) continue;
      soonestMs = ms;
      best = engine;
    }
    return best;
  }

  /** The request has its place already. */
  assigned(engine: number, clock: PickRequest["clock"]): void {
    this.#clock = clock;
    if (this.#inFlight(engine) > 1) return;
    this.#executing[engine] = 1;
    this.#startedMs[engine] = clock.wallMs();
  }

  /** The request still has its place. */
  responseStarted(engine: number): void {
    const nowMs = this.#clock?.wallMs();
    if (nowMs === undefined) return;
    const executing = this.#executing[engine]!;
    const isSameBatch = nowMs - this.#answeredMs[engine]! <= betweenResponsesMs;
    this.#answeredMs[engine] = nowMs;
    if (isSameBatch) {
      this.#executing[engine] = Math.max(0, executing - 1);
      return;
    }
    const tookMs = nowMs - this.#startedMs[engine]!;
    if (tookMs >= tookLeastMs && tookMs <= tookMostMs) this.#times.observe(executing, tookMs);
    this.#startedMs[engine] = nowMs;
    this.#executing[engine] = Math.max(0, this.#inFlight(engine) - 1);
  }

  #untilDoneMs(engine: number, nowMs: number): number {
    const times = this.#times;
    const inFlight = this.#inFlight(engine);
    const executing = Math.min(this.#executing[engine]!, inFlight);
    const queued = inFlight - executing;
    const nextMs = times.estimateMs(queued + 1);
    const moreMs = queued === 0 ? 0 : nextMs - times.estimateMs(queued);
    const sinceMs = nowMs - this.#startedMs[engine]! + responseMs;
    const restMs = Math.max(0, times.estimateMs(executing) - sinceMs);
    return restMs + moreMs * queued ** 2 + nextMs;
  }

  #inFlight(engine: number): number {
    const { board, slots } = this.#pool;
    return board.inFlight(slots[engine]!);
  }
}
