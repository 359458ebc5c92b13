/** What stages share about the legs of a request: how a leg can fail, and what the log records of each try. */

/** What went wrong with a leg before its response was the client's. */
export type LegFailure = "error" | "timeout" | "invalid";

/** One try of one leg, for the log. Times in ms of the monotonic clock; -1 = did not happen. */
export interface LegRecord {
  readonly address: string;
  readonly sentMs: number;
  connectedMs: number;
  headMs: number;
  endMs: number;
  status: number;
  bytesReceived: number;
  bytesSent: number;
}
