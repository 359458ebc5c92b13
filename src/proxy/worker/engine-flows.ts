/** Which prefill engines have lately worked for which decode engines, by the requests that are remembered. */
import { flowWindowMs } from "../../limits.ts";
import type { Explanation } from "../context/explained/explanation.ts";

export interface EngineFlow {
  readonly from: EngineOfFlow;
  readonly to: EngineOfFlow;
  readonly requests: number;
}

interface EngineOfFlow {
  readonly pool: string;
  readonly engine: string;
}

/** @param ended the last ones first. @param nowMs since the epoch */
export function flowsOf(ended: readonly Explanation[], nowMs: number): EngineFlow[] {
  const flows = new Map<string, EngineFlow>();
  for (const one of ended) {
    if (one.endedAtMs < nowMs - flowWindowMs) continue;
    const from = lastOf(one, "prefill");
    const to = lastOf(one, "decode");
    if (from === undefined || to === undefined) continue;
    const key = [from.pool, from.engine, to.pool, to.engine].join(" ");
    flows.set(key, { from, to, requests: (flows.get(key)?.requests ?? 0) + 1 });
  }
  return [...flows.values()];
}

/** The engine that has served the leg, after those that have failed. */
function lastOf({ decisions }: Explanation, leg: "prefill" | "decode"): EngineOfFlow | undefined {
  const last = decisions.findLast((one) => one.leg === leg && one.chosen !== "");
  return last && { pool: last.pool, engine: last.chosen };
}
