/** What was found out about engines while they run. Kept by the main thread, handed to the workers. */

export interface DiscoveredAttributes {
  /**
   * It takes requests of its dialect; false = it has said that it does not yet, or what its dialect must know is
   * missing.
   */
  readonly isReady: boolean;
  /** It is to take nothing new, and to finish what it has. */
  readonly isDraining?: boolean;
  /** By the names that the configuration uses, whose word counts more. */
  readonly attributes: Readonly<Record<string, string>>;
}

/** By the engine's identity (`slots.ts`). Of one that is not here nothing is known, and it is used as configured. */
export type DiscoveredByIdentity = Readonly<Record<string, DiscoveredAttributes>>;
