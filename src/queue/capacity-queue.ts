/** Requests that wait until the engines of a pool have room for them: in the order in which they came, but for priorities and tenants. */
import type { QueueConfig } from "../config/schema/queue.ts";
import { PrefillCost } from "../estimates/prefill-cost.ts";
import { usualBytesPerToken } from "../estimates/token-ratio.ts";
import type { Clock } from "../transport/clock.ts";
import type { PoolCapacity } from "./pool-capacity.ts";
import {
  boundedPriority,
  type QueueListener,
  type QueueRequest,
  type Ticket,
} from "./queue-service.ts";
import { TenantShares } from "./tenant-shares.ts";

/** When it may be worth another try where the queue is full: nobody knows, so soon. */
const fullRetryMs = 1_000;

export class CapacityQueue {
  readonly #clock: Clock;
  readonly #tenants = new TenantShares();
  /** As no engine is: what a prompt counts for its tenant. */
  readonly #cost = new PrefillCost(1);
  /** In the order of their keys. */
  readonly #waiting: QueueTicket[] = [];
  #config: QueueConfig;
  #room: PoolCapacity;
  #isReleasing = false;

  constructor(config: QueueConfig, room: PoolCapacity, clock: Clock) {
    this.#config = config;
    this.#room = room;
    this.#clock = clock;
  }

  /** Requests that wait. */
  get size(): number {
    return this.#waiting.length;
  }

  /** From a reload on. */
  use(config: QueueConfig, room: PoolCapacity): void {
    this.#config = config;
    this.#room = room;
  }

  ticket(queueRequest: QueueRequest, listener: QueueListener): Ticket {
    return new QueueTicket(this, queueRequest, listener);
  }

  /** Lets all in who have room, and turns away who has waited too long. */
  tick(): void {
    const beforeMs = this.#clock.nowMs() - this.#config.timeoutMs;
    for (const ticket of this.#waiting.filter(({ arrivedMs }) => arrivedMs <= beforeMs)) {
      if (this.#drop(ticket)) ticket.listener.refused("timeout", this.#config.timeoutMs);
    }
    this.release();
  }

  /** Another queue has taken its place, or none. */
  close(): void {
    for (const ticket of [...this.#waiting]) {
      if (this.#drop(ticket)) ticket.listener.refused("replaced", 0);
    }
  }

  release(): void {
    // One that is let in may be over at once, which frees its room.
    if (this.#isReleasing) return;
    this.#isReleasing = true;
    while (this.#waiting.length > 0) {
      const wallMs = this.#clock.wallMs();
      // All wait for the same pool.
      if (!this.#room.hasCapacity(this.#waiting[0]!.queueRequest.pool, wallMs)) break;
      const ticket = this.#first();
      if (!this.#room.admit(ticket.pools, wallMs)) break;
      ticket.isAdmitted = true;
      this.#drop(ticket);
      ticket.listener.granted("", []);
    }
    this.#isReleasing = false;
  }

  // ---- What tickets ask ----

  enter(ticket: QueueTicket): void {
    const { max, priorityMs } = this.#config;
    if (this.#waiting.length >= max) {
      ticket.listener.refused("queue-full", fullRetryMs);
      return;
    }
    const { tenant, priority } = ticket.queueRequest;
    ticket.arrivedMs = this.#clock.nowMs();
    ticket.key = ticket.arrivedMs + boundedPriority(priority) * priorityMs;
    this.#tenants.add(tenant);
    let at = this.#waiting.length;
    while (at > 0 && this.#waiting[at - 1]!.key > ticket.key) at -= 1;
    this.#waiting.splice(at, 0, ticket);
    this.release();
  }

  leave(ticket: QueueTicket): void {
    this.#drop(ticket);
  }

  releaseCapacity(pool: string): void {
    this.#room.leave(pool);
  }

  /** The one with the least key; what its tenant has had more than others counts on top. */
  #first(): QueueTicket {
    let first = this.#waiting[0]!;
    if (!this.#tenants.compare()) return first;
    let least = Number.POSITIVE_INFINITY;
    for (const ticket of this.#waiting) {
      const lead = this.#tenants.leadMs(ticket.queueRequest.tenant);
      const key = ticket.key + Math.min(this.#config.fairnessMs, lead);
      if (key >= least) continue;
      least = key;
      first = ticket;
    }
    return first;
  }

  /** False = it does not wait. */
  #drop(ticket: QueueTicket): boolean {
    const at = this.#waiting.indexOf(ticket);
    if (at < 0) return false;
    this.#waiting.splice(at, 1);
    const { tenant, bytes } = ticket.queueRequest;
    const tokens = Math.max(1, bytes / usualBytesPerToken);
    this.#tenants.remove(tenant, ticket.isAdmitted ? this.#cost.predict(0, tokens, tokens) : 0);
    return true;
  }
}

class QueueTicket implements Ticket {
  readonly queueRequest: QueueRequest;
  readonly listener: QueueListener;
  arrivedMs = 0;
  /** When it came, but for its priority. */
  key = 0;
  isAdmitted = false;
  /** Where it needs room. */
  readonly pools: readonly string[];
  readonly #queue: CapacityQueue;
  #isPrefilled = false;
  #isOver = false;

  constructor(queue: CapacityQueue, queueRequest: QueueRequest, listener: QueueListener) {
    this.#queue = queue;
    this.queueRequest = queueRequest;
    this.listener = listener;
    this.pools =
      queueRequest.decodePool === ""
        ? [queueRequest.pool]
        : [queueRequest.pool, queueRequest.decodePool];
  }

  wait(): void {
    this.#queue.enter(this);
  }

  done(): void {
    if (this.#isPrefilled || !this.isAdmitted) return;
    this.#isPrefilled = true;
    this.#queue.releaseCapacity(this.queueRequest.pool);
  }

  /** Another engine of the pool may take the place. */
  skip(): void {}

  leave(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#queue.leave(this);
    if (!this.isAdmitted) return;
    this.done();
    if (this.queueRequest.decodePool !== "")
      this.#queue.releaseCapacity(this.queueRequest.decodePool);
  }
}
