/** How a request to an engine has failed. */
import type { LegFailure } from "../../context/legs.ts";

export interface EngineFailure {
  readonly kind: LegFailure;
  /** The engine closed a pooled connection before the first byte of a response: the request can be sent once more. */
  readonly stale: boolean;
  /** The request cannot have reached the engine. */
  readonly unsent: boolean;
  readonly cause: string;
  /** The engine says so itself: perhaps it could not have the KV cache. */
  readonly isError?: boolean;
}

/** Why a response is not what it should be. */
export type ResponseFault = Pick<EngineFailure, "kind" | "cause" | "isError">;
