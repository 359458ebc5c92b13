/**
 * Time-outs of all connections, checked by one periodic tick. Setting a deadline is one store; there is no timer per
 * request or per streamed chunk (setting and clearing one costs about a microsecond).
 */

import { deadlineTickMs, tickCountedMsMax } from "../limits.ts";

export interface Expirable {
  /** When it expires, in ms of the clock that `tick` is called with; `Infinity` = never. */
  deadlineMs: number;
  /** Index in the registry; -1 = not registered. Only the registry writes it. */
  deadlineIndex: number;
  expired(nowMs: number): void;
}

export class Deadlines {
  /** The time at the last tick: cheap, and late by a tick at most. */
  nowMs: number;
  /** For how long the process did not get to run, as late ticks have shown. */
  #pausedMs = 0;
  readonly #entries: Expirable[] = [];

  constructor(nowMs: number) {
    this.nowMs = nowMs;
  }

  /**
   * The deadline for a time-out of `ms`; 0 = never. It includes one tick, because `nowMs` is the time of the last tick:
   * so a time-out is late by a tick at most, and never early.
   */
  dueIn(ms: number): number {
    return ms === 0 ? Number.POSITIVE_INFINITY : this.nowMs + ms + deadlineTickMs;
  }

  /**
   * For how long this process did not get to run before `nowMs`, since it started: what others do meanwhile it cannot
   * know. A tick that is late by one more is usual.
   */
  pausedMs(nowMs: number): number {
    return this.#pausedMs + Math.max(0, nowMs - this.nowMs - 2 * deadlineTickMs);
  }

  add(entry: Expirable): void {
    if (entry.deadlineIndex >= 0) return;
    entry.deadlineIndex = this.#entries.length;
    this.#entries.push(entry);
  }

  remove(entry: Expirable): void {
    const index = entry.deadlineIndex;
    if (index < 0) return;
    const last = this.#entries.pop()!;
    if (last !== entry) {
      this.#entries[index] = last;
      last.deadlineIndex = index;
    }
    entry.deadlineIndex = -1;
  }

  get size(): number {
    return this.#entries.length;
  }

  /**
   * A tick counts for a bounded time: if it is late, the process did not get to run, what has come meanwhile was not
   * read yet, and deadlines that were set meanwhile go by the tick before.
   */
  tick(nowMs: number): void {
    const uncountedMs = nowMs - this.nowMs - tickCountedMsMax;
    if (uncountedMs > 0) for (const entry of this.#entries) entry.deadlineMs += uncountedMs;
    this.#pausedMs = this.pausedMs(nowMs);
    this.nowMs = nowMs;
    // Backwards: an entry that removes itself is replaced by the last one, which is already checked.
    for (let i = this.#entries.length - 1; i >= 0; i -= 1) {
      const entry = this.#entries[i];
      if (entry !== undefined && entry.deadlineMs <= nowMs) {
        entry.deadlineMs = Number.POSITIVE_INFINITY;
        entry.expired(nowMs);
      }
    }
  }
}
