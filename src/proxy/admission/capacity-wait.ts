/** A request that waits until the pools that it needs have room for it; which engines it gets there is seen to after that. */
import type { Pool } from "../../pool/pool.ts";
import type {
  QueueListener,
  QueueRejection,
  QueueRequest,
  Ticket,
} from "../../queue/queue-service.ts";
import type { Exchange } from "../pd/exchange.ts";
import type { ForwardedRequest } from "../upstream/forwarded-request.ts";
import { waitOutcomes } from "./wait-outcomes.ts";

export interface CapacityWaitRequest {
  readonly pool: Pool;
  /** Whether its place there is others' once the prompt is prefilled. */
  readonly endsWithPrefill: boolean;
  /** That needs room for it, too, after the prefill; undefined = none. */
  readonly decodePool: Pool | undefined;
  readonly priority: number;
  readonly tenant: string;
}

export class CapacityWait implements QueueListener {
  readonly #exchange: Exchange;
  readonly #request: ForwardedRequest;
  readonly #admitted: () => void;
  readonly #endsWithPrefill: boolean;
  readonly #queueRequest: QueueRequest;
  #ticket: Ticket | undefined;

  constructor(
    exchange: Exchange,
    request: ForwardedRequest,
    { pool, endsWithPrefill, decodePool, priority, tenant }: CapacityWaitRequest,
    admitted: () => void,
  ) {
    this.#exchange = exchange;
    this.#request = request;
    this.#admitted = admitted;
    this.#endsWithPrefill = endsWithPrefill;
    const names = { pool: pool.name, decodePool: decodePool?.name ?? "" };
    const { promptBytes: bytes } = request;
    this.#queueRequest = { ...names, bytes, blocks: [], priority, tenant, explains: false };
  }

  /** Also once more, after `leave`. */
  wait(): void {
    this.#ticket = this.#request.worker.queue.ticket(this.#queueRequest, this);
    this.#ticket.wait();
  }

  granted(): void {
    this.#waited();
    this.#admitted();
  }

  refused(reason: QueueRejection, retryAfterMs: number): void {
    if (reason === "replaced") {
      this.wait();
      return;
    }
    this.#waited();
    // What there is of engines is told by who looks for one.
    if (reason === "no-healthy-engine") this.#admitted();
    else {
      this.#request.context.retryAfterMs = retryAfterMs;
      this.#exchange.abort(waitOutcomes[reason]);
    }
  }

  prefilled(): void {
    if (!this.#endsWithPrefill) return;
    this.#ticket?.done({ promptTokens: undefined, cachedTokens: undefined });
  }

  leave(): void {
    this.#ticket?.leave();
  }

  #waited(): void {
    const { context, worker } = this.#request;
    context.heldMs = worker.clock.nowMs() - context.startMs;
  }
}
