/** What one worker says in the error log about its requests, and how often. */
import { engineSlotsMax, retryRefusedSaidMs } from "../../limits.ts";
import type { LogFields } from "../../observe/error-log.ts";
import type { Engine } from "../../pool/engine.ts";
import type { Placement, Pool } from "../../pool/pool.ts";
import type { RequestLeg } from "../../scoreboard/leg-counts.ts";
import type { Clock } from "../../transport/clock.ts";
import type { RequestContext } from "../context/request-context.ts";
import type { RetryBudget } from "../context/retry-budget.ts";
import type { ExchangeReports } from "../pd/driver/exchange-services.ts";
import type { EngineFailure } from "../upstream/connection/engine-failure.ts";

type Log = (level: "warn" | "error", message: string, fields?: LogFields) => void;

export class Reports implements ExchangeReports {
  readonly #log: Log;
  readonly #clock: Clock;
  #retriesRefused = 0;
  /** When it may be said again that retries are refused. */
  #nextSaidMs = 0;
  /** Prefill engines of which it was said that they transfer nothing. */
  readonly #saidMissing = new Set<string>();

  constructor(log: Log, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  legFailed({ pool, engine }: Placement, leg: RequestLeg, failure: EngineFailure): void {
    const where = `${engine.name} of pool "${pool.name}"`;
    const what = `${leg} failed (${failure.kind}: ${failure.cause}) at ${where}`;
    this.#log("error", `${what}; ${adviceOn(failure)}`);
  }

  /** Said once in a while. */
  retryRefused(route: string, { inFlight, retried }: RetryBudget): void {
    this.#retriesRefused += 1;
    const nowMs = this.#clock.nowMs();
    if (nowMs < this.#nextSaidMs) return;
    this.#nextSaidMs = nowMs + retryRefusedSaidMs;
    const used = `${retried} of ${inFlight} requests in flight are being retried`;
    const count = `${this.#retriesRefused} not retried since the start of this worker`;
    const what = `the retry budget of route "${route}" is used up: ${used} (${count})`;
    this.#log("warn", `${what}; see why its engines fail`);
  }

  /**
   * A prompt is decode's to compute, since no prefill could be had: slow, and at the cost of decode's other requests.
   */
  fellBack({ requestId }: RequestContext): void {
    const message =
      "no prefill: decode computes the prompt; see why prefill engines fail or are full";
    this.#log("warn", message, { request: requestId || undefined });
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

/** What an operator can do about a leg that has failed. */
function adviceOn({ kind, unsent, isError, cause }: EngineFailure): string {
  if (cause.startsWith("certificate verify error"))
    return "does the pool trust its issuer (tls.caFile), and is its name right (tls.name)?";
  if (cause.startsWith("TLS handshake failed"))
    return "does the engine speak TLS at this port, and ask for a certificate (tls.certificate)?";
  if (kind === "descriptors") return "raise the limit of open files (ulimit -n)";
  if (kind === "timeout")
    return "see whether the engine hangs or has too much to do, or raise the time-out";
  if (kind === "invalid") return "is it an engine of this dialect?";
  if (unsent) return "is the engine running, and its address right?";
  return isError ? "the engine's own log says why" : "see whether the engine has died: its own log";
}
