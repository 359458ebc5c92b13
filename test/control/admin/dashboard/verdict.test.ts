/** Who is woken by the page must be told what is wrong, where and why, and nobody must be woken by nothing. */
import { describe, expect, it } from "vitest";
import type { Fleet, FleetEngine, Role } from "../../../../src/control/admin/dashboard/messages.ts";
import { type VerdictFacts, verdictOf } from "../../../../src/control/admin/dashboard/verdict.ts";

const healthy: FleetEngine = {
  ...{ engine: "10.0.0.1:8100", state: "healthy", weight: 1, cache: "blind" },
  ...{ sources: ["configuration"], sinceMs: 1_000 },
};
const burst = { sinceMs: 0, lastMs: 0, errors: 5, timeouts: 0, invalid: 0, statuses: 1 };

function poolOf(role: Role, engines: readonly FleetEngine[]) {
  return { pool: role, role, policy: "random", policySummary: "", hasQueue: false, engines };
}

function factsOf(engines: readonly FleetEngine[], more: Partial<VerdictFacts> = {}): VerdictFacts {
  const fleet: Fleet = {
    ...{ version: "1", runtime: "Node", startedMs: 0, isDraining: false },
    ...{ workers: { alive: 1, configured: 1 }, countsRequests: true, keepsRequests: true },
    ...{ pools: [poolOf("prefill", engines), poolOf("decode", engines)], links: [[0, 1]] },
  };
  const requests = { ended: 0, failed: 0, failure: undefined };
  return { fleet, unfitPools: [], queues: [], ...requests, nowMs: 60_000, ...more };
}

describe("the headline", () => {
  it("of a fleet without a fault says so", () => {
    expect(verdictOf(factsOf([healthy, healthy]))).toEqual({
      level: "good",
      headline: "All 4 engines healthy",
      problems: [],
    });
  });

  it("names the engine, why it is ejected, and since when", () => {
    const ejected: FleetEngine = { ...healthy, state: "ejected", why: "failing", burst };
    const facts = factsOf([healthy]);
    const pools = [facts.fleet.pools[0]!, poolOf("decode", [ejected])];
    const verdict = verdictOf({ ...facts, fleet: { ...facts.fleet, pools } });
    expect(verdict).toMatchObject({
      level: "warn",
      headline: "decode 10.0.0.1:8100 is ejected: 5 connection errors, 1 response with 5xx",
      sinceMs: 1_000,
    });
    expect(verdict.problems).toHaveLength(1);
  });

  it("says the worst first: a pool without an engine before one that is ejected", () => {
    const ejected: FleetEngine = { ...healthy, state: "ejected", why: "health-check" };
    const verdict = verdictOf(factsOf([ejected], { unfitPools: ["decode"] }));
    expect(verdict).toMatchObject({
      level: "bad",
      headline: "No engine is left for decode",
    });
    expect(verdict.problems[1]!.why).toBe("its health checks fail");
  });

  it("of an empty fleet, of dead workers and of a shutdown says so", () => {
    expect(verdictOf(factsOf([])).headline).toBe("There are no engines");
    const { fleet } = factsOf([healthy]);
    const workers = { alive: 0, configured: 2 };
    const dead = verdictOf(factsOf([healthy], { fleet: { ...fleet, workers } }));
    expect(dead).toMatchObject({ level: "bad", headline: "No worker is alive" });
    const ending = verdictOf(factsOf([healthy], { fleet: { ...fleet, isDraining: true } }));
    expect(ending.headline).toBe("The proxy is shutting down");
  });

  it("is no alarm while engines drain, start slowly or have a queue", () => {
    const draining: FleetEngine = { ...healthy, state: "draining", draining: { why: "operator" } };
    const slow: FleetEngine = { ...healthy, state: "degraded", why: "slow-start" };
    const queues = [{ pool: "prefill", waiting: 3, sinceMs: 0 }];
    const verdict = verdictOf(factsOf([healthy, draining, slow], { queues }));
    expect([verdict.level, verdict.headline]).toEqual([
      "good",
      "2 of 6 engines healthy, and nothing is wrong",
    ]);
    expect(verdict.problems.map(({ level }) => level)).toEqual(new Array(5).fill("note"));
  });

  it("counts requests that fail, and a few among many are none", () => {
    const failure = { code: "GP_DECODE_FAILED", message: "The connection failed." };
    const of = (failed: number) => verdictOf(factsOf([healthy], { ended: 1_000, failed, failure }));
    expect(of(9).level).toBe("good");
    expect(of(42)).toMatchObject({
      level: "warn",
      headline: "4.2 % of requests fail: the connection failed",
    });
    expect(of(400).level).toBe("bad");
  });
});
