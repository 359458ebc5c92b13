/** The time that a whole request may take, from its head to the last byte of its response. */
import type { Deadlines, Expirable } from "../../transport/deadlines.ts";

export class RequestDeadline implements Expirable {
  deadlineMs: number;
  deadlineIndex = -1;
  readonly expired: () => void;
  readonly #deadlines: Deadlines;

  /** @param timeoutMs above 0 */
  constructor(deadlines: Deadlines, timeoutMs: number, expired: () => void) {
    this.#deadlines = deadlines;
    this.expired = expired;
    this.deadlineMs = deadlines.dueIn(timeoutMs);
    deadlines.add(this);
  }

  end(): void {
    this.#deadlines.remove(this);
  }
}
