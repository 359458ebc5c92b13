/** Times of tests. Each grows with the slowness of the machine, so that none of them decides what a test says. */
import { inject } from "vitest";

/** 1 = as fast as usual; see `slowness.ts`. */
export const slowness: number = inject("slowness");

/** So long a test waits for what must come: much longer than it ever takes, since load may rise while tests run. */
export const patienceMs: number = Math.round(60_000 * slowness);

/** A time that simulated work takes, or after which something is given up. */
export function scaled(usualMs: number): number {
  return Math.ceil(usualMs * slowness);
}
