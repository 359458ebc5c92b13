/** Outcomes of routes whose engines serve whole requests, in words that fit them. */
import { type Outcome, outcomes } from "./outcomes.ts";

/**
 * What goes wrong with an engine of a route without a prefill, in place of decode's outcome: the same code, so that one
 * alert covers both, in words that fit engines which serve whole requests.
 */
export const wholeRequestOutcomes = Object.freeze({
  noEngine: reworded(outcomes.noDecodeEngine, "No engine is available."),
  full: reworded(outcomes.decodeFull, "All engines are at capacity."),
  failed: reworded(outcomes.decodeFailed, "The connection to the engine failed."),
  timeout: reworded(outcomes.decodeTimeout, "The engine did not respond in time."),
  invalid: reworded(outcomes.decodeInvalid, "The engine's response is not valid HTTP."),
});

function reworded(of: Outcome, message: string): Outcome {
  return Object.freeze({ ...of, message });
}
