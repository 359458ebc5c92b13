/** Why an engine was chosen: which others were possible, and what each was judged by. Made only on request. */
import type { EngineState, EngineStateReport } from "./health/engine-state.ts";

/**
 * Why this request could not be given to an engine, whatever its state: `tried` = it has failed there; `backup` =
 * others are free; `other` = it is bound to another engine; `model` = the engine does not list its model.
 */
export const requestReasons = ["tried", "backup", "other", "model"] as const;
export type RequestReason = (typeof requestReasons)[number];

export interface EngineSnapshot {
  readonly engine: string;
  /** As everywhere. */
  readonly state: EngineState;
  readonly why?: EngineStateReport["why"] | RequestReason;
  /** The engine could not be chosen; absent = it could. */
  readonly isCandidate?: false;
  /** Requests of all workers there, and bytes of their prompts. */
  readonly inFlight: number;
  readonly promptBytes: number;
  /** What the policy ranks by, the lowest is chosen; undefined = it does not rank by one number. */
  readonly score?: number;
}

/**
 * The same for a prompt that waited in the queue until an engine was chosen, in ms and tokens. The score is wait +
 * prefill + weight × what another engine's cache would have saved.
 */
export interface PlacementSnapshot {
  readonly engine: string;
  readonly waitMs: number;
  readonly uncachedTokens: number;
  readonly prefillMs: number;
  readonly score: number;
}

export interface Decision {
  readonly leg: string;
  readonly pool: string;
  readonly policy: string;
  /** "" = no engine was found. */
  readonly chosen: string;
  /** How long the prompt waited in the queue before. */
  readonly heldMs?: number;
  /** The chosen engine and those that came closest, at most `explainedEnginesMax`. */
  readonly engines: readonly (EngineSnapshot | PlacementSnapshot)[];
  /** Engines of the pool. */
  readonly poolSize: number;
}
