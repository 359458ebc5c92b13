/** How much of a tenant's limits is left, in the header lines of OpenAI's API, or of Anthropic's. */
import type { ErrorShape } from "../../../dialects/endpoints/endpoint.ts";

/** One limit, and what is left of it. */
export interface LimitState {
  readonly of: "requests" | "tokens";
  readonly limit: number;
  readonly left: number;
  /** Until all of it is there again. */
  readonly fullInMs: number;
}

/** @param wallMs since the epoch. @returns lines, each with its CRLF */
export function limitLines(
  states: readonly LimitState[],
  shape: ErrorShape,
  wallMs: number,
): string {
  let lines = "";
  for (const { of, limit, left, fullInMs } of states) {
    if (shape === "anthropic") {
      const resetAt = new Date(Math.ceil((wallMs + fullInMs) / 1_000) * 1_000);
      const name = `anthropic-ratelimit-${of}`;
      lines += `${name}-limit: ${limit}\r\n${name}-remaining: ${left}\r\n`;
      lines += `${name}-reset: ${resetAt.toISOString().replace(".000", "")}\r\n`;
    } else {
      lines += `x-ratelimit-limit-${of}: ${limit}\r\nx-ratelimit-remaining-${of}: ${left}\r\n`;
      lines += `x-ratelimit-reset-${of}: ${duration(fullInMs)}\r\n`;
    }
  }
  return lines;
}

/** As Go writes it: `12ms`, `1.5s`, `6m0s`. */
export function duration(ms: number): string {
  if (ms < 1_000) return `${Math.ceil(ms)}ms`;
  const tenths = Math.ceil(ms / 100);
  const minutes = Math.floor(tenths / 600);
  const seconds = `${(tenths % 600) / 10}s`;
  return minutes === 0 ? seconds : `${minutes}m${seconds}`;
}
