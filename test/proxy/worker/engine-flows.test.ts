/** The flows of the dashboard: between the engines that have served, not between those that have failed. */
import { expect, it } from "vitest";
import { flowWindowMs } from "../../../src/limits.ts";
import { Explanation } from "../../../src/proxy/context/explained/explanation.ts";
import { flowsOf } from "../../../src/proxy/worker/engine-flows.ts";

function request(at: number, ...legs: [leg: string, chosen: string][]): Explanation {
  const explanation = new Explanation("id", "/", false, at);
  for (const [leg, chosen] of legs) {
    explanation.add({ leg, pool: leg, policy: "random", chosen, engines: [], poolSize: 2 });
  }
  return explanation;
}

const place = (pool: string, engine: string) => ({ pool, engine });

it("pairs of engines are counted by the last engine of each leg, as far back as the window", () => {
  const nowMs = 1_000_000;
  const ended = [
    request(nowMs, ["prefill", "p1"], ["decode", "d1"]),
    request(nowMs, ["prefill", "p0"], ["prefill", "p1"], ["decode", "d0"], ["decode", "d1"]),
    request(nowMs, ["prefill", "p1"], ["decode", "d2"], ["decode", ""]),
    request(nowMs, ["decode", "d1"]),
    request(nowMs - flowWindowMs - 1, ["prefill", "p1"], ["decode", "d1"]),
  ];
  expect(flowsOf(ended, nowMs)).toEqual([
    { from: place("prefill", "p1"), to: place("decode", "d1"), requests: 2 },
    { from: place("prefill", "p1"), to: place("decode", "d2"), requests: 1 },
  ]);
});
