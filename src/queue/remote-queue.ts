/** The desk where prompts wait, when it is in the main thread: what this worker asks goes there, and its answers come back. */

import type { DeskAnswer, DeskQuestion } from "./messages.ts";
import type { LeadingTokens, PromptDesk, PromptWish, Ticket, Waiter } from "./queue-service.ts";

export class RemoteDesk implements PromptDesk {
  readonly #post: (question: DeskQuestion) => void;
  readonly #waiters = new Map<number, Waiter>();
  /** Of prompts that are looked up. */
  readonly #answers = new Map<number, (tokens: LeadingTokens) => void>();
  #serial = 0;

  constructor(post: (question: DeskQuestion) => void) {
    this.#post = post;
  }

  ticket(wish: PromptWish, waiter: Waiter): Ticket {
    this.#serial += 1;
    const id = this.#serial;
    let isPrefilled = false;
    let isOver = false;
    return {
      wait: () => {
        this.#waiters.set(id, waiter);
        this.#post({ type: "prompt", id, wish });
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
        this.#waiters.delete(id);
        this.#post({ type: "prompt-left", id });
      },
    };
  }

  leadingTokens(pool: string, tokenIds: Int32Array, answer: (tokens: LeadingTokens) => void): void {
    this.#serial += 1;
    this.#answers.set(this.#serial, answer);
    this.#post({ type: "prompt-looked-up", id: this.#serial, pool, tokenIds });
  }

  receive(answer: DeskAnswer): void {
    if (answer.type === "prompt-found") {
      const found = this.#answers.get(answer.id);
      this.#answers.delete(answer.id);
      found?.(answer.leadingTokens);
      return;
    }
    const waiter = this.#waiters.get(answer.id);
    this.#waiters.delete(answer.id);
    if (answer.type === "prompt-granted") waiter?.granted(answer.engine, answer.seen);
    else waiter?.refused(answer.reason, answer.retryAfterMs);
  }
}
