/** The queue, when it is in the main thread: what this worker asks goes there, and the replies come back. */
import type { PromptUsage } from "../dialects/shared/prompt-usage.ts";
import type { QueueMessage, QueueReply } from "./messages.ts";
import type { QueueRequest } from "./orderings/shared/ordering.ts";
import type { LeadingTokens, QueueListener, QueueService, Ticket } from "./queue-service.ts";

type Post = (message: QueueMessage) => void;

export class RemoteQueue implements QueueService {
  readonly #post: Post;
  /** Who waits, by the number of the ticket. */
  readonly #listeners = new Map<number, QueueListener>();
  /** Of prompts that are looked up. */
  readonly #lookUps = new Map<number, (tokens: LeadingTokens) => void>();
  #serial = 0;

  constructor(post: Post) {
    this.#post = post;
  }

  ticket(request: QueueRequest, listener: QueueListener): Ticket {
    this.#serial += 1;
    return new RemoteTicket(this.#serial, request, listener, this.#listeners, this.#post);
  }

  leadingTokens(pool: string, tokenIds: Int32Array, found: (tokens: LeadingTokens) => void): void {
    this.#serial += 1;
    this.#lookUps.set(this.#serial, found);
    this.#post({ type: "queue-look-up", id: this.#serial, pool, tokenIds });
  }

  receive(reply: QueueReply): void {
    if (reply.type === "queue-found") {
      const found = this.#lookUps.get(reply.id);
      this.#lookUps.delete(reply.id);
      found?.(reply.leadingTokens);
      return;
    }
    const listener = this.#listeners.get(reply.id);
    this.#listeners.delete(reply.id);
    if (reply.type === "queue-granted") listener?.granted(reply.engine, reply.options);
    else listener?.rejected(reply.reason, reply.retryAfterMs);
  }
}

class RemoteTicket implements Ticket {
  readonly #id: number;
  readonly #request: QueueRequest;
  readonly #listener: QueueListener;
  readonly #listeners: Map<number, QueueListener>;
  readonly #post: Post;
  #isPrefilled = false;
  #isOver = false;

  constructor(
    id: number,
    request: QueueRequest,
    listener: QueueListener,
    listeners: Map<number, QueueListener>,
    post: Post,
  ) {
    this.#id = id;
    this.#request = request;
    this.#listener = listener;
    this.#listeners = listeners;
    this.#post = post;
  }

  enqueue(): void {
    this.#listeners.set(this.#id, this.#listener);
    this.#post({ type: "queue-enqueue", id: this.#id, request: this.#request });
  }

  prefillDone(usage: PromptUsage): void {
    if (this.#isPrefilled || this.#isOver) return;
    this.#isPrefilled = true;
    this.#post({ type: "queue-prefill-done", id: this.#id, usage });
  }

  releasePrefill(): void {
    if (this.#isPrefilled || this.#isOver) return;
    this.#isPrefilled = true;
    this.#post({ type: "queue-release-prefill", id: this.#id });
  }

  cancel(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#listeners.delete(this.#id);
    this.#post({ type: "queue-cancel", id: this.#id });
  }
}
