/** A request that waits in a pool's queue: for an engine, or until there is capacity. */
import type { PromptUsage } from "../../dialects/shared/prompt-usage.ts";
import type { PickRequest } from "../../policies/shared/policy.ts";
import type { Engine } from "../../pool/engine.ts";
import type { PlacementSnapshot } from "../../pool/engine-snapshot.ts";
import type { Pool } from "../../pool/pool.ts";
import type { QueueRequest } from "../../queue/orderings/shared/ordering.ts";
import type {
  QueueListener,
  QueueRejection,
  QueueService,
  Ticket,
} from "../../queue/queue-service.ts";
import type { Clock } from "../../transport/clock.ts";
import { type Outcome, outcomes } from "../context/outcomes.ts";
import type { RequestContext } from "../context/request-context.ts";
import type { Leg } from "../upstream/leg.ts";

/** The request, as far as waiting needs it. */
export interface WaitingRequest {
  readonly context: RequestContext;
  readonly worker: { readonly queue: QueueService; readonly clock: Clock };
}

export interface WaitListener {
  /** The request may go to engines. */
  admitted(): void;
  /** No engine of the pool takes requests. */
  noEngine(): void;
  /** The request ends here. */
  rejected(outcome: Outcome): void;
}

const rejections: Readonly<Record<Exclude<QueueRejection, "no-healthy-engine">, Outcome>> = {
  "queue-full": outcomes.queueFull,
  timeout: outcomes.queueTimeout,
  overloaded: outcomes.overloaded,
};
const unknownUsage: PromptUsage = { promptTokens: undefined, cachedTokens: undefined };

export class Wait implements QueueListener {
  /** The pool in whose queue it waits. */
  readonly #pool: Pool;
  readonly #request: WaitingRequest;
  readonly #listener: WaitListener;
  #queueRequest: QueueRequest;
  #ticket: Ticket | undefined;
  #granted: Engine | undefined;
  /** When it entered the queue, on the monotonic clock; -1 = it does not wait now. */
  #enteredMs = -1;

  constructor(
    request: WaitingRequest,
    pool: Pool,
    queueRequest: QueueRequest,
    listener: WaitListener,
  ) {
    this.#request = request;
    this.#pool = pool;
    this.#queueRequest = queueRequest;
    this.#listener = listener;
  }

  /** Also once more, after `cancel`. */
  enqueue(): void {
    const { queue, clock } = this.#request.worker;
    const { explanation } = this.#request.context;
    this.#enteredMs = clock.nowMs();
    if (explanation !== undefined) explanation.waitsFor = this.#pool.name;
    this.#ticket = queue.ticket(this.#queueRequest, this);
    this.#ticket.enqueue();
  }

  granted(engine: string, options: readonly PlacementSnapshot[]): void {
    this.#waited();
    this.#forgetTokens();
    if (engine !== "") {
      const pool = this.#pool.current;
      // The queue may know of a reload before this worker does.
      this.#granted = pool.engines.find(({ name }) => name === engine);
      this.#explain(pool, engine, options);
    }
    this.#listener.admitted();
  }

  rejected(reason: QueueRejection, retryAfterMs: number): void {
    this.#waited();
    this.#request.context.retryAfterMs = retryAfterMs;
    if (reason === "no-healthy-engine") this.#listener.noEngine();
    else this.#listener.rejected(rejections[reason]);
  }

  /** Takes the place that was granted, once: another try after a failure there goes to another engine, at once. */
  reserve(leg: Leg, uri: string, pick: PickRequest): boolean {
    const engine = this.#granted;
    this.#granted = undefined;
    const isReserved = engine !== undefined && leg.reserveAt(this.#pool.current, engine, uri, pick);
    if (!isReserved) this.#ticket?.releasePrefill();
    return isReserved;
  }

  /** @param usage as the prefill engine reports it; undefined = nobody has read it */
  prefillDone(usage: PromptUsage = unknownUsage): void {
    this.#ticket?.prefillDone(usage);
  }

  /** Gives back the place at the prefill engine: it has failed, or is not wanted. */
  releasePrefill(): void {
    this.#ticket?.releasePrefill();
  }

  /** Gives back all that it has. */
  cancel(): void {
    this.#waited();
    this.#ticket?.cancel();
  }

  /** A request may go on for minutes, and its tokens may be as large as its body. */
  #forgetTokens(): void {
    if (this.#queueRequest.tokenIds === undefined) return;
    this.#queueRequest = { ...this.#queueRequest, tokenIds: undefined };
  }

  #explain(pool: Pool, chosen: string, engines: readonly PlacementSnapshot[]): void {
    const { explanation, heldMs } = this.#request.context;
    const decision = { leg: "prefill", pool: pool.name, policy: pool.policyLabel, chosen, heldMs };
    explanation?.add({ ...decision, engines, poolSize: pool.size });
  }

  /** The one place where waiting is added up, over all waits of the request. */
  #waited(): void {
    if (this.#enteredMs < 0) return;
    const { context, worker } = this.#request;
    const nowMs = worker.clock.nowMs();
    context.heldMs = Math.max(0, context.heldMs) + nowMs - this.#enteredMs;
    context.trace?.step("queue", this.#enteredMs, nowMs);
    if (context.explanation !== undefined) context.explanation.waitsFor = "";
    this.#enteredMs = -1;
  }
}
