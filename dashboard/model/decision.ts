/** Why an engine was chosen and the others were not, in words. */
import type {
  Decision,
  EngineSnapshot,
  PlacementSnapshot,
} from "../../src/pool/engine-snapshot.ts";
import { countText, durationText, numberText } from "./words.ts";

type Shown = Omit<Decision, "poolSize"> & { readonly untold?: number };
type AnyEngine = EngineSnapshot | PlacementSnapshot;

const isPlacement = (engine: AnyEngine): engine is PlacementSnapshot => "uncachedTokens" in engine;

/** As `EngineSnapshot` names them, its reasons before its states. */
const notChosen: Readonly<Record<string, string>> = {
  tried: "had failed for this request",
  backup: "only a backup",
  other: "could not take it: another engine was required",
  model: "does not list the model",
  busy: "said that it was busy",
  full: "full",
  "health-check": "ejected by its health checks",
  failing: "ejected after failures",
  "slow-start": "full, in slow start",
  down: "down by configuration",
  draining: "draining",
  starting: "not ready",
};

export function decisionText(decision: Shown): string {
  const { chosen, engines, policy, heldMs = 0 } = decision;
  if (chosen === "") return `No engine of pool ${decision.pool} could take it.`;
  const own = engines.find(({ engine }) => engine === chosen);
  const waited = heldMs >= 1 ? ` after ${durationText(heldMs)} in the queue` : "";
  const head = `${chosen} was chosen${waited}`;
  const possible = engines.filter((one) => isPlacement(one) || one.isCandidate !== false);
  if (possible.length <= 1) return `${head}: no other engine could take it.`;
  if (own === undefined) return `${head}.`;
  if (isPlacement(own)) return `${head}: ${placementText(own, possible)}`;
  const other = possible.find((one) => one !== own && !isPlacement(one)) as
    | EngineSnapshot
    | undefined;
  if (own.score === undefined || other?.score === undefined) {
    return `${head} by ${policy} among ${countText(possible.length, "engine")}.`;
  }
  const { score } = own;
  const equal = possible.filter((one) => one !== own && one.score === score).length;
  if (equal > 0)
    return `${head}: ${policy} gave it the lowest score, ${scoreText(score)}, as ${countText(equal, "other", "others")}.`;
  return `${head}: ${policy} gave it the lowest score, ${scoreText(score)}; the next, ${other.engine}, had ${scoreText(other.score)}.`;
}

function placementText(own: PlacementSnapshot, all: readonly AnyEngine[]): string {
  const will = `it would wait ${durationText(own.waitMs)} and compute ${countText(Math.round(own.uncachedTokens), "uncached token")} in ${durationText(own.prefillMs)}`;
  const next = all.find((one) => one !== own && isPlacement(one)) as PlacementSnapshot | undefined;
  if (next === undefined) return `${will}.`;
  const sooner = totalMs(next) - totalMs(own);
  if (sooner >= 1) return `${will}, ${durationText(sooner)} sooner than ${next.engine}.`;
  if (next.uncachedTokens > own.uncachedTokens + 1) {
    const saved = numberText(Math.round(next.uncachedTokens - own.uncachedTokens));
    return `${will}; ${saved} tokens more of the prompt are cached there than at ${next.engine}.`;
  }
  return `${will}; ${next.engine} would have been as good.`;
}

/** Why this engine was not it: "full", "a higher score", "120 ms later". */
export function whyNot(engine: AnyEngine, decision: Shown): string {
  if (engine.engine === decision.chosen) return "chosen";
  const own = decision.engines.find((one) => one.engine === decision.chosen);
  if (isPlacement(engine)) {
    if (own === undefined || !isPlacement(own)) return "possible";
    const laterMs = totalMs(engine) - totalMs(own);
    if (laterMs >= 1) return `${durationText(laterMs)} later`;
    return engine.score > own.score ? "less would be saved by its cache" : "as good, and not drawn";
  }
  if (engine.isCandidate === false) return notChosen[engine.why ?? engine.state] ?? engine.state;
  if (engine.score === undefined || own?.score === undefined) return "possible";
  return engine.score > own.score ? "a higher score" : "as good, and not drawn";
}

const totalMs = ({ waitMs, prefillMs }: PlacementSnapshot) => waitMs + prefillMs;

export function scoreText(score: number): string {
  return Math.abs(score) >= 1_000 ? numberText(score) : String(Math.round(score * 1_000) / 1_000);
}
