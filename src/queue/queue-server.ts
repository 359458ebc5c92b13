/** The desk where the prompts of all workers wait: takes their questions, and remembers whose they are. */

import { deadlineTickMs } from "../limits.ts";
import { systemClock } from "../transport/clock.ts";
import type { QueueMessage, QueueReply } from "./messages.ts";
import { PoolQueues, type QueueLog } from "./pool-queues.ts";
import type { Ticket } from "./queue-service.ts";

export class QueueServer {
  readonly pools: PoolQueues;
  /** By worker, then by the worker's own numbers. */
  readonly #tickets: Map<number, Ticket>[] = [];
  readonly #ticker = setInterval(() => this.pools.tick(), deadlineTickMs).unref();

  constructor(log: QueueLog) {
    this.pools = new PoolQueues(systemClock, log);
  }

  receive(worker: number, question: QueueMessage, response: (message: QueueReply) => void): void {
    this.#tickets[worker] ??= new Map();
    const tickets = this.#tickets[worker];
    const { id } = question;
    if (question.type === "prompt-looked-up") {
      const { pool, tokenIds } = question;
      this.pools.leadingTokens(pool, tokenIds, (leadingTokens) => {
        response({ type: "prompt-found", id, leadingTokens });
      });
      return;
    }
    if (question.type !== "prompt") {
      const known = tickets.get(id);
      if (question.type === "prompt-done") known?.done(question.usage);
      else if (question.type === "prompt-skipped") known?.skip();
      else {
        tickets.delete(id);
        known?.leave();
      }
      return;
    }
    const ticket = this.pools.ticket(question.queueRequest, {
      granted: (engine, seen) => response({ type: "prompt-granted", id, engine, seen }),
      refused: (reason, retryAfterMs) => {
        tickets.delete(id);
        response({ type: "prompt-refused", id, reason, retryAfterMs });
      },
    });
    tickets.set(id, ticket);
    ticket.wait();
  }

  /** The worker is gone, and with it all who waited there. */
  workerEnded(worker: number): void {
    const tickets = this.#tickets[worker];
    if (tickets === undefined) return;
    this.#tickets[worker] = new Map();
    for (const ticket of tickets.values()) ticket.leave();
  }

  close(): void {
    clearInterval(this.#ticker);
    this.pools.close();
  }
}
