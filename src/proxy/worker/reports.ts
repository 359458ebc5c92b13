/** What one worker says in the error log about its requests, and how often. */
import type { LegName } from "../../dialects/dialect.ts";
import { engineSlotsMax, retryRefusedSaidMs } from "../../limits.ts";
import type { Engine } from "../../pool/engine.ts";
import type { Placement, Pool } from "../../pool/pool.ts";
import type { Clock } from "../../transport/clock.ts";
import type { RequestContext } from "../context/request-context.ts";
import type { RetryBudget } from "../context/retry-budget.ts";
import type { ExchangeReports } from "../pd/driver/exchange-services.ts";
import type { EngineFailure } from "../upstream/connection/engine-failure.ts";

export class Reports implements ExchangeReports {
  readonly #log: (level: "warn" | "error", message: string) => void;
  readonly #clock: Clock;
  #fallBacks = 0;
  #retriesRefused = 0;
  /** When it may be said again that retries are refused. */
  #nextSaidMs = 0;
  /** Prefill engines of which it was said that they transfer nothing. */
  readonly #saidMissing = new Set<string>();

  constructor(log: (level: "warn" | "error", message: string) => void, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  legFailed({ pool, engine }: Placement, leg: LegName | "encode", failure: EngineFailure): void {
    const where = `${engine.name} of pool "${pool.name}"`;
    this.#log("error", `${leg} failed (${failure.kind}: ${failure.cause}) at ${where}`);
  }

  /** Said once in a while. */
  retryRefused(route: string, { inFlight, retried }: RetryBudget): void {
    this.#retriesRefused += 1;
    const nowMs = this.#clock.nowMs();
    if (nowMs < this.#nextSaidMs) return;
    this.#nextSaidMs = nowMs + retryRefusedSaidMs;
    const used = `${retried} of ${inFlight} requests in flight are being retried`;
    const count = `${this.#retriesRefused} not retried since the start of this worker`;
    this.#log("warn", `the retry budget of route "${route}" is used up: ${used} (${count})`);
  }

  /**
   * A prompt is decode's to compute, since no prefill could be had: slow, and at the cost of decode's other requests.
   */
  fellBack({ requestId }: RequestContext): void {
    this.#fallBacks += 1;
    const count = `${this.#fallBacks} since the start of this worker`;
    this.#log("warn", `no prefill for request ${requestId}: decode computes it (${count})`);
  }

  /** Said once for each engine; counted each time. */
  transferMissing(pool: Pool, { name, slot }: Engine): void {
    pool.board.kv.countMissing(slot);
    const where = `${name} of pool "${pool.name}"`;
    if (this.#saidMissing.has(where) || this.#saidMissing.size >= engineSlotsMax) return;
    this.#saidMissing.add(where);
    const what = `prefill engine ${where} gave no kv_transfer_params: its KV caches are not transferred`;
    this.#log("warn", `${what}; is the dialect (--dialect) right?`);
  }
}
