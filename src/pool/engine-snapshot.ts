/** Why an engine was chosen: who could have been, and what spoke for whom. Made only where somebody may ask for it. */

export interface EngineSnapshot {
  readonly engine: string;
  /** `fit`, or why it could not be chosen. */
  readonly state: "fit" | "down" | "not-ready" | "resting" | "full" | "tried" | "backup" | "other";
  /** Requests of all workers there, and bytes of their prompts. */
  readonly inFlight: number;
  readonly promptBytes: number;
  /** What the policy goes by, the least is chosen; undefined = it goes by more than one number. */
  readonly score?: number;
}

/** The same of a prompt that was held, in ms and tokens. The score is wait + prefill + weight × what another cache would have saved. */
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
  /** "" = none could be had. */
  readonly chosen: string;
  /** How long the prompt was held before. */
  readonly heldMs?: number;
  /** Those that came closest, at most `explainedEnginesMax`, and the chosen one. */
  readonly engines: readonly (EngineSnapshot | PlacementSnapshot)[];
  /** Engines of the pool. */
  readonly poolSize: number;
}
