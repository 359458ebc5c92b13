/** Bytes that wait in one worker for clients to read them, over all connections, against their bound. */
import { relayPendingBytesMax, relayPendingTotalBytesMax } from "../../limits.ts";

export interface PendingBudgetDeps {
  /** So many bytes do not wait any more. */
  released(bytes: number): void;
  /** Runs it before the next event, once what runs now has ended. */
  defer(task: () => void): void;
}

export class PendingBudget {
  #bytes = 0;
  readonly #deps: PendingBudgetDeps;
  /** Connections for which bytes wait; first the one that has had some for the longest time. */
  readonly #behind = new Set<PendingShare>();
  #isRelieving = false;

  constructor(deps: PendingBudgetDeps) {
    this.#deps = deps;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /**
   * How many may wait for one client before its engine is no longer read: less the more wait for all, once a quarter of
   * the total is taken, and none once half of it is. So a few slow clients cost no throughput, and many share what
   * there is.
   */
  get perClientMax(): number {
    const free = relayPendingTotalBytesMax / 2 - this.#bytes;
    const share = Math.min(1, Math.max(0, (4 * free) / relayPendingTotalBytesMax));
    return Math.floor(relayPendingBytesMax * share);
  }

  /** A connection has so many bytes waiting, after so many before. */
  change(share: PendingShare, before: number, bytes: number): void {
    this.#bytes += bytes - before;
    if (bytes === 0) this.#behind.delete(share);
    else if (before === 0) this.#behind.add(share);
    if (bytes < before) this.#deps.released(before - bytes);
    if (this.#bytes > relayPendingTotalBytesMax && !this.#isRelieving) {
      this.#isRelieving = true;
      this.#deps.defer(() => this.#relieve());
    }
  }

  /**
   * Engines are paused, and what was read before is too much still: clients are given up, first the one that has not
   * read all for the longest time.
   */
  #relieve(): void {
    this.#isRelieving = false;
    for (const share of this.#behind) {
      if (this.#bytes <= relayPendingTotalBytesMax) return;
      share.giveUp();
    }
  }
}

/** What one connection has of it. */
export class PendingShare {
  /** Closes the connection, which sets the bytes to 0. */
  readonly giveUp: () => void;
  readonly #budget: PendingBudget;
  #bytes = 0;

  constructor(budget: PendingBudget, giveUp: () => void) {
    this.#budget = budget;
    this.giveUp = giveUp;
  }

  /** So many bytes wait for the client now. */
  set(bytes: number): void {
    if (bytes === this.#bytes) return;
    const before = this.#bytes;
    this.#bytes = bytes;
    this.#budget.change(this, before, bytes);
  }
}
