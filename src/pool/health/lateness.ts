/**
 * When a response is late: its first byte takes much longer than those of the pool usually do for a prompt of that
 * length. A long prompt is not late, and what is usual is never taken to be quicker than an engine of the first guess.
 */
import { shapeMs } from "../../estimates/prefill-cost.ts";
import type { Pool } from "../pool.ts";

/**
 * How long the first byte may take; infinite = nobody can say, or would try another engine.
 * @param isEarly the first byte comes before the last token: of a prefill or a stream
 * @param tokens of the prompt
 */
export function lateAfterMs(
  { config, size, slots, board }: Pool,
  isEarly: boolean,
  tokens: number,
): number {
  const { ejection } = config;
  if (ejection.rule !== "outlier" || ejection.lateMs === 0 || size < 2) {
    return Number.POSITIVE_INFINITY;
  }
  const pace = board.usual.pace(slots[0]!, isEarly);
  if (pace === 0) return Number.POSITIVE_INFINITY;
  const usualMs = Math.max(1, pace) * shapeMs(tokens, tokens);
  return Math.max(ejection.lateMs, ejection.lateFactor * usualMs);
}

/** When to look for the first time whether a response is late; 0 = never. */
export function firstLookMs({ config: { ejection }, size }: Pool): number {
  return ejection.rule === "outlier" && size > 1 ? ejection.lateMs : 0;
}

/** A response has begun. @param tookMs from sending the request to its first byte */
export function observeFirstByte(
  { board, slots }: Pool,
  isEarly: boolean,
  tokens: number,
  tookMs: number,
): void {
  board.usual.observe(slots[0]!, isEarly, tookMs / shapeMs(tokens, tokens));
}
