/** What a request occupies at one engine. Closed exactly once, whatever happens; a second close does nothing. */
import type { Policy } from "./policy.ts";
import type { Scoreboard } from "./scoreboard.ts";

export class Lease {
  readonly slot: number;
  readonly bytes: number;
  readonly uncachedBytes: number;
  readonly #board: Scoreboard;
  readonly #policy: Pick<Policy, "ended"> | undefined;
  readonly #engine: number;
  #open = true;

  /** @param policy is told of the end, with the engine's number in its pool */
  constructor(
    board: Scoreboard,
    slot: number,
    bytes: number,
    uncachedBytes = bytes,
    policy?: Pick<Policy, "ended">,
    engine = -1,
  ) {
    this.#board = board;
    this.slot = slot;
    this.bytes = bytes;
    this.uncachedBytes = uncachedBytes;
    this.#policy = policy;
    this.#engine = engine;
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#board.giveBack(this.slot, this.bytes, this.uncachedBytes);
    this.#policy?.ended?.(this.#engine, this.bytes);
  }
}
