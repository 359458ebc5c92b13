/**
 * When a response is late: its first byte takes much longer than those of the pool usually do for a prompt of that
 * length. A long prompt is not late, and what is usual is never taken to be quicker than an engine of the first guess.
 */
import { shapeMs } from "../../estimates/prefill-cost.ts";
import { patienceFactor } from "../../limits.ts";
import type { Placement, Pool } from "../pool.ts";

/**
 * How long the first byte may take; infinite = nobody can say, or would try another engine.
 * @param isEarly the first byte comes before the last token: of a prefill or a stream
 * @param tokens of the prompt
 */
function lateAfterMs(
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

/**
 * How long a request may wait for its first byte there.
 * @param hasFailedOthers other requests have failed at the engine since its last response
 */
export function lateMsOf(
  { pool, engine, lease }: Placement,
  isEarly: boolean,
  hasFailedOthers: boolean,
  wallMs: number,
): number {
  const lateMs = lateAfterMs(pool, isEarly, lease.tokens);
  // Nobody knows how long a response in one piece will be.
  if (isEarly) return lateMs;
  // Where others have found that the engine hangs, it is worth no more patience than a stream.
  const streamMs = lateAfterMs(pool, true, lease.tokens);
  if (pool.health.hangs(engine, wallMs)) return Math.min(lateMs, streamMs);
  // Nor much more where it fails, and gets too few requests to be ejected for it.
  return hasFailedOthers ? Math.min(lateMs, patienceFactor * streamMs) : lateMs;
}

/** When to look for the first time whether a response is late; 0 = never. */
export function firstLookMs({ config: { ejection }, size }: Pool): number {
  return ejection.rule === "outlier" && size > 1 ? ejection.lateMs : 0;
}

/** A response has begun. @param tookMs from sending the request to its first byte */
export function observeFirstByte(
  pool: Pool,
  isEarly: boolean,
  tokens: number,
  tookMs: number,
): void {
  if (firstLookMs(pool) === 0) return;
  pool.board.usual.observe(pool.slots[0]!, isEarly, tookMs / shapeMs(tokens, tokens));
}
