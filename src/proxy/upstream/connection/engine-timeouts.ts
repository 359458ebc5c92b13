/** How long a request to an engine may take, step by step. */

/** In ms; 0 = none. */
export interface EngineTimeouts {
  readonly connectTimeoutMs: number;
  /** For the engine to take more of a request. */
  readonly sendTimeoutMs: number;
  /** Between two reads of a response, and before the first. */
  readonly readTimeoutMs: number;
  /** From the sending of the request to the last byte of its response. Undefined = no limit, as 0. */
  readonly totalTimeoutMs?: number;
}

export const noTimeouts: EngineTimeouts = {
  connectTimeoutMs: 0,
  sendTimeoutMs: 0,
  readTimeoutMs: 0,
};

/** The shorter of two, of which 0 = none. */
export function shorter(oneMs: number, otherMs: number): number {
  return oneMs === 0 || otherMs === 0 ? oneMs + otherMs : Math.min(oneMs, otherMs);
}
