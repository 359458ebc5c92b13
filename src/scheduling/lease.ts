/** What a request occupies at one engine. Closed exactly once, whatever happens; a second close does nothing. */
import type { Scoreboard } from "./scoreboard.ts";

export class Lease {
  readonly slot: number;
  readonly bytes: number;
  readonly uncachedBytes: number;
  readonly #board: Scoreboard;
  #open = true;

  constructor(board: Scoreboard, slot: number, bytes: number, uncachedBytes = bytes) {
    this.#board = board;
    this.slot = slot;
    this.bytes = bytes;
    this.uncachedBytes = uncachedBytes;
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#board.giveBack(this.slot, this.bytes, this.uncachedBytes);
  }
}
