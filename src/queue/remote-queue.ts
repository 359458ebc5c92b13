/** The desk where prompts wait, when it is in the main thread: what this worker asks goes there, and its answers come back. */

import type { QueueMessage, QueueReply } from "./messages.ts";
import type {
  LeadingTokens,
  QueueListener,
  QueueRequest,
  QueueService,
  Ticket,
} from "./queue-service.ts";

export class RemoteQueue implements QueueService {
  readonly #post: (question: QueueMessage) => void;
  readonly #listeners = new Map<number, QueueListener>();
  /** Of prompts that are looked up. */
  readonly #answers = new Map<number, (tokens: LeadingTokens) => void>();
  #serial = 0;

  constructor(post: (question: QueueMessage) => void) {
    this.#post = post;
  }

  ticket(queueRequest: QueueRequest, listener: QueueListener): Ticket {
    this.#serial += 1;
    const id = this.#serial;
    let isPrefilled = false;
    let isOver = false;
    return {
      wait: () => {
        this.#listeners.set(id, listener);
        this.#post({ type: "prompt", id, queueRequest });
      },
      done: (usage) => {
        if (isPrefilled || isOver) return;
        isPrefilled = true;
        this.#post({ type: "prompt-done", id, usage });
      },
      skip: () => {
        if (isPrefilled || isOver) return;
        isPrefilled = true;
        this.#post({ type: "prompt-skipped", id });
      },
      leave: () => {
        if (isOver) return;
        isOver = true;
        this.#listeners.delete(id);
        this.#post({ type: "prompt-left", id });
      },
    };
  }

  leadingTokens(
    pool: string,
    tokenIds: Int32Array,
    response: (tokens: LeadingTokens) => void,
  ): void {
    this.#serial += 1;
    this.#answers.set(this.#serial, response);
    this.#post({ type: "prompt-looked-up", id: this.#serial, pool, tokenIds });
  }

  receive(response: QueueReply): void {
    if (response.type === "prompt-found") {
      const found = this.#answers.get(response.id);
      this.#answers.delete(response.id);
      found?.(response.leadingTokens);
      return;
    }
    const listener = this.#listeners.get(response.id);
    this.#listeners.delete(response.id);
    if (response.type === "prompt-granted") listener?.granted(response.engine, response.seen);
    else listener?.refused(response.reason, response.retryAfterMs);
  }
}
