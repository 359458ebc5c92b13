/** A request's ticket in the queue of its pool. */
import type { PromptUsage } from "../dialects/shared/prompt-usage.ts";
import type { Ordering, QueuedRequest, QueueRequest } from "./orderings/shared/ordering.ts";
import type { QueueListener, Ticket } from "./queue-service.ts";

/** The queue that a ticket is for. */
export interface TicketQueue {
  enqueue(ticket: QueueTicket): void;
  prefillDone(ticket: QueueTicket, usage: PromptUsage): void;
  /** It waits no longer, and its prefill will not happen. */
  releasePrefill(ticket: QueueTicket): void;
  /** It has left decode, too. */
  releaseDecode(ticket: QueueTicket): void;
}

export class QueueTicket implements Ticket {
  request: QueueRequest;
  readonly listener: QueueListener;
  /** Where it needs capacity. */
  readonly pools: readonly string[];
  /** What the ordering has made of it; undefined = it was not enqueued, or its prefill is over. */
  queued: QueuedRequest<QueueTicket> | undefined;
  /** The ordering that it is in, which a reload may have replaced since. */
  ordering: Ordering<QueueTicket> | undefined;
  isWaiting = false;
  /** It has capacity, which it gives back when its prefill ends and at its end. */
  isReserved = false;
  #isOver = false;
  #isPrefillOver = false;
  readonly #queue: TicketQueue;

  constructor(queue: TicketQueue, request: QueueRequest, listener: QueueListener) {
    this.#queue = queue;
    this.request = request;
    this.listener = listener;
    const { pool, decodePool } = request;
    this.pools = decodePool === "" ? [pool] : [pool, decodePool];
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Whether the queue has chosen its engine. */
  get isPlaced(): boolean {
    return (this.queued?.engine ?? -1) >= 0;
  }

  enqueue(): void {
    this.#queue.enqueue(this);
  }

  prefillDone(usage: PromptUsage): void {
    if (this.#isOver || this.#isPrefillOver || !this.isReserved) return;
    this.#isPrefillOver = true;
    this.#queue.prefillDone(this, usage);
    this.#forgetPrompt();
  }

  releasePrefill(): void {
    // If the policy picked the engine, another one of the pool may be tried.
    if (this.isPlaced) this.#endPrefill();
  }

  cancel(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#endPrefill();
    if (this.isReserved) this.#queue.releaseDecode(this);
  }

  #endPrefill(): void {
    if (this.#isPrefillOver) return;
    this.#isPrefillOver = true;
    this.#queue.releasePrefill(this);
    this.#forgetPrompt();
  }

  /** A request may go on for minutes, and its tokens may be as large as its body. */
  #forgetPrompt(): void {
    this.queued = undefined;
    this.ordering = undefined;
    if (this.request.tokenIds !== undefined)
      this.request = { ...this.request, tokenIds: undefined };
  }
}
