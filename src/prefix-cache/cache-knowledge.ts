/** How well it is known what an engine has cached. */
import type { ReportedPrefixCache } from "./reported-prefix-cache.ts";

/**
 * `exact` = the engine reports its cache in KV events; `approximate` = estimated from what was sent there, less what
 * was found not to be there; `blind` = nothing is known.
 */
export type CacheKnowledge = "exact" | "approximate" | "blind";

/** An engine that reports its cache. */
export interface CacheSource {
  /** Undefined = the reports are incomplete at the moment. */
  readonly cache: ReportedPrefixCache | undefined;
}
