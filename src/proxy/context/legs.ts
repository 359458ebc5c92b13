/** What stages share about the legs of a request: how a leg can fail, and what the log records of each try. */
import type { RequestLeg } from "../../scoreboard/leg-counts.ts";

/**
 * What went wrong with a leg before its response was the client's. `descriptors`: this process has no file descriptor
 * for the connection, which no engine is to blame for.
 */
export type LegFailure = "error" | "timeout" | "invalid" | "descriptors";

/** The tries of the legs of a request, in their order. */
export interface TriedLegs {
  readonly encodes: readonly LegRecord[];
  readonly prefills: readonly LegRecord[];
  readonly decodes: readonly LegRecord[];
}

export function triesOf({ encodes, prefills, decodes }: TriedLegs, leg: RequestLeg) {
  if (leg === "encode") return encodes;
  return leg === "prefill" ? prefills : decodes;
}

/** One try of one leg, for the log. Times in ms of the monotonic clock; -1 = did not happen. */
export interface LegRecord {
  readonly address: string;
  readonly sentMs: number;
  /** Of the prompt, estimated by its bytes. */
  readonly promptTokens: number;
  connectedMs: number;
  headMs: number;
  endMs: number;
  status: number;
  bytesReceived: number;
  /** Of the response's head among them. */
  headBytes: number;
  bytesSent: number;
  /** Of its span, which the engine knows; undefined = it is not traced. */
  spanId?: string;
}

/** Of a try that begins. @param isConnected over a pooled connection */
export function newLegRecord(
  address: string,
  sentMs: number,
  promptTokens: number,
  isConnected: boolean,
): LegRecord {
  const connectedMs = isConnected ? sentMs : -1;
  const nothingYet = {
    headMs: -1,
    endMs: -1,
    status: 0,
    bytesReceived: 0,
    headBytes: 0,
    bytesSent: 0,
  };
  return { address, sentMs, promptTokens, connectedMs, ...nothingYet };
}
