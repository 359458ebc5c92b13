/** The queue of all workers, in the main thread: takes their messages, and remembers which ticket is whose. */
import type { Clock } from "../transport/clock.ts";
import type { QueueMessage, QueueReply } from "./messages.ts";
import { PoolQueues, type QueueLog } from "./pool-queues.ts";
import type { Ticket } from "./queue-service.ts";

type Reply = (message: QueueReply) => void;

export class QueueServer {
  readonly pools: PoolQueues;
  /** By worker, then by the worker's own numbers. */
  readonly #tickets: Map<number, Ticket>[] = [];

  constructor(clock: Clock, log: QueueLog) {
    this.pools = new PoolQueues(clock, log);
  }

  /** To be called every `deadlineTickMs`. */
  tick(): void {
    this.pools.tick();
  }

  receive(worker: number, message: QueueMessage, reply: Reply): void {
    this.#tickets[worker] ??= new Map();
    const tickets = this.#tickets[worker];
    const { id } = message;
    switch (message.type) {
      case "queue-enqueue":
        this.#enqueue(tickets, message, reply);
        break;
      case "queue-prefill-done":
        tickets.get(id)?.prefillDone(message.usage);
        break;
      case "queue-release-prefill":
        tickets.get(id)?.releasePrefill();
        break;
      case "queue-cancel": {
        const ticket = tickets.get(id);
        tickets.delete(id);
        ticket?.cancel();
        break;
      }
      case "queue-look-up":
        this.pools.leadingTokens(message.pool, message.tokenIds, (leadingTokens) => {
          reply({ type: "queue-found", id, leadingTokens });
        });
        break;
    }
  }

  /** The worker has died, and with it all requests that waited there. */
  workerEnded(worker: number): void {
    const tickets = this.#tickets[worker];
    if (tickets === undefined) return;
    this.#tickets[worker] = new Map();
    for (const ticket of tickets.values()) ticket.cancel();
  }

  close(): void {
    this.pools.close();
  }

  #enqueue(
    tickets: Map<number, Ticket>,
    { id, request }: Extract<QueueMessage, { type: "queue-enqueue" }>,
    reply: Reply,
  ): void {
    const ticket = this.pools.ticket(request, {
      granted: (engine, options) => reply({ type: "queue-granted", id, engine, options }),
      rejected: (reason, retryAfterMs) => {
        tickets.delete(id);
        reply({ type: "queue-rejected", id, reason, retryAfterMs });
      },
    });
    tickets.set(id, ticket);
    ticket.enqueue();
  }
}
