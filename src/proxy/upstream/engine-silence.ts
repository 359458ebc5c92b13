/**
 * For how long the engine of a leg has shown no sign of life: it has begun no response to anybody, and none of its
 * streams goes on. One that is busy shows such signs, one that hangs does not. Time in which this worker does not get
 * to run is left out: what engines do meanwhile it has not read yet.
 */
import type { Placement } from "../../pool/pool.ts";
import type { Deadlines } from "../../transport/deadlines.ts";

/** An engine, in its pool. */
type Watched = Pick<Placement, "pool" | "engine">;

export class EngineSilence {
  #placement: Watched | undefined;
  #deadlines: Deadlines | undefined;
  /** By the wall clock, as all workers know it. */
  #sentMs = 0;
  /** By the clock of the deadlines, which does not jump. */
  #sinceMs = 0;
  /** For how long this worker had not run by then. */
  #pausedMs = 0;
  #tokens = 0;
  /** When tokens of its streams were seen last: that they came is known, but not when. */
  #tokensMs = 0;

  /** A request is sent to the engine. @param nowMs by the clock of `deadlines` */
  start(placement: Watched, deadlines: Deadlines, nowMs: number, wallMs: number): void {
    this.#placement = placement;
    this.#deadlines = deadlines;
    this.#pausedMs = deadlines.pausedMs(nowMs);
    this.#sinceMs = nowMs;
    this.#sentMs = wallMs;
    this.#tokensMs = wallMs;
    this.#tokens = placement.pool.board.responseTokens(placement.engine.slot);
  }

  /** At most since the request was sent. Call now and then, so that tokens are seen when they come. */
  lastsMs(nowMs: number, wallMs: number): number {
    const { pool, engine } = this.#placement!;
    const tokens = pool.board.responseTokens(engine.slot);
    const ranMs = wallMs - this.#missedMs(nowMs);
    if (tokens !== this.#tokens) {
      this.#tokens = tokens;
      this.#tokensMs = ranMs;
    }
    return ranMs - Math.max(this.#tokensMs, pool.board.usual.respondedAt(engine.slot));
  }

  /** How long the request has waited while this worker ran. */
  waitedMs(nowMs: number): number {
    return nowMs - this.#sinceMs - this.#missedMs(nowMs);
  }

  /** For how long this worker has not run since the request was sent. */
  #missedMs(nowMs: number): number {
    return this.#deadlines === undefined ? 0 : this.#deadlines.pausedMs(nowMs) - this.#pausedMs;
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
