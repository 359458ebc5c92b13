/** The slowest requests of the last minutes. Most requests are no candidate, which one comparison says. */
import { listedRequestsMax, slowestWindowMs } from "../../../limits.ts";
import type { Explanation } from "./explanation.ts";

interface Timed {
  readonly explanation: Explanation;
  readonly ms: number;
}

export class Slowest {
  /** The slowest first, of the window under way and of the one before. */
  #current: Timed[] = [];
  #before: Timed[] = [];
  #windowMs = Number.NEGATIVE_INFINITY;

  /** @param nowMs of the monotonic clock */
  add(explanation: Explanation, ms: number, nowMs: number): void {
    this.#advance(nowMs);
    const all = this.#current;
    if (all.length >= listedRequestsMax && ms <= all.at(-1)!.ms) return;
    const at = all.findIndex((one) => one.ms < ms);
    all.splice(at < 0 ? all.length : at, 0, { explanation, ms });
    if (all.length > listedRequestsMax) all.pop();
  }

  /** Of the last one to two windows, the slowest first. */
  list(nowMs: number): Explanation[] {
    this.#advance(nowMs);
    const all = [...this.#current, ...this.#before].sort((a, b) => b.ms - a.ms);
    return all.slice(0, listedRequestsMax).map(({ explanation }) => explanation);
  }

  /** In no order. */
  all(): Explanation[] {
    return [...this.#current, ...this.#before].map(({ explanation }) => explanation);
  }

  #advance(nowMs: number): void {
    const passedMs = nowMs - this.#windowMs;
    if (passedMs < slowestWindowMs) return;
    this.#before = passedMs < 2 * slowestWindowMs ? this.#current : [];
    this.#current = [];
    this.#windowMs = nowMs;
  }
}
