/**
 * For how long the engine of a leg has shown no sign of life: it has begun no response to anybody, and none of its
 * streams goes on. One that is busy shows such signs, one that hangs does not.
 */
import type { Placement } from "../../pool/pool.ts";

export class EngineSilence {
  #placement: Placement | undefined;
  /** By the wall clock, as all workers know it. */
  #sentMs = 0;
  #tokens = 0;
  /** When tokens of its streams were seen last: that they came is known, but not when. */
  #tokensMs = 0;

  /** A request is sent to the engine. */
  start(placement: Placement, wallMs: number): void {
    this.#placement = placement;
    this.#sentMs = wallMs;
    this.#tokensMs = wallMs;
    this.#tokens = placement.pool.board.responseTokens(placement.engine.slot);
  }

  /** At most since the request was sent. Call now and then, so that tokens are seen when they come. */
  lastsMs(wallMs: number): number {
    const { pool, engine } = this.#placement!;
    const tokens = pool.board.responseTokens(engine.slot);
    if (tokens !== this.#tokens) {
      this.#tokens = tokens;
      this.#tokensMs = wallMs;
    }
    return wallMs - Math.max(this.#tokensMs, pool.board.usual.respondedAt(engine.slot));
  }

  /** Whether the engine has responded to a request that was sent later. Unknown where no request can be late. */
  get isOvertaken(): boolean {
    if (this.#placement === undefined) return false;
    const { pool, engine } = this.#placement;
    return pool.board.usual.servedUpTo(engine.slot) > this.#sentMs;
  }

  /** The engine has responded to the request. */
  responded(wallMs: number): void {
    const { pool, engine } = this.#placement!;
    pool.board.usual.responded(engine.slot, this.#sentMs, wallMs);
  }
}
