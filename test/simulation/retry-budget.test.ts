/** Retries never multiply an overload: at most the route's share of its requests in flight is being retried. */
import { describe, expect, test } from "vitest";
import { retryConditions } from "../../src/config/values/retry-conditions.ts";
import { outcomes } from "../../src/proxy/context/outcomes.ts";
import { refusedCounter, retryCounter } from "../../src/proxy/context/request-counters.ts";
import type { Client } from "./client.ts";
import { decodes, prefills, response, type Script } from "./engine.ts";
import { World, type WorldOptions } from "./world.ts";

const clients = 60;
const share = 0.2;
const requestsMin = 10;
/** What each engine takes for its failure. */
const failsAfterMs = 50;

const answers =
  (status: string): Script =>
  (_, { send, after }) =>
    after(failsAfterMs, () => send(response('{"error":{}}', status)));

const failures: Readonly<Record<string, Script>> = {
  "responds with 500": answers("500 Internal Server Error"),
  "responds with 503": answers("503 Service Unavailable"),
  "responds with 429": answers("429 Too Many Requests"),
  resets: (_, { socket, after }) => after(failsAfterMs, () => socket.cut("rst")),
};

function worldOf(options: WorldOptions = {}): World {
  return new World({
    prefill: 4,
    decode: 4,
    pool: { policy: { name: "round_robin" } },
    ...options,
  });
}

/** Clients that each send requests one after the other for so long, at least one. @returns how often each status came */
function load(world: World, forMs: number, atOnce = clients): Map<number, number> {
  const { network } = world;
  const endsMs = network.nowMs() + forMs;
  const statuses = new Map<number, number>();
  let underWay = atOnce;
  const next = (prompt: string): void => {
    const client: Client = world.ask({ prompt, stream: true });
    const look = (): void => {
      const [answer] = client.answers;
      if (answer === undefined && client.ended === undefined) {
        network.after(5, look);
        return;
      }
      const status = answer?.status ?? 0;
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      client.socket.destroy();
      if (network.nowMs() < endsMs) next(`${prompt}+`);
      else underWay -= 1;
    };
    network.after(5, look);
  };
  for (let i = 0; i < atOnce; i += 1) next(`c${i}`);
  world.runUntil(() => underWay === 0, 600_000);
  return statuses;
}

const asked = (world: World, role: "prefill" | "decode"): number =>
  world[role].reduce((sum, { requests }) => sum + requests.length, 0);

describe.each(["prefill", "decode"] as const)("where each %s engine", (role) => {
  test.each(Object.entries(failures))("%s, retries add their share and no more", (_, script) => {
    const world = worldOf();
    for (const engine of world[role]) engine.script = script;
    const statuses = load(world, 1_000);
    expect(statuses.get(200)).toBeUndefined();
    const requests = [...statuses.values()].reduce((sum, count) => sum + count, 0);
    expect(requests).toBeGreaterThan(10 * clients);
    expect(asked(world, role)).toBeLessThanOrEqual((1 + share) * requests + requestsMin);
    expect(asked(world, role)).toBeGreaterThan(requests);
    const { requests: counts } = world.board;
    const retries = retryConditions.reduce((n, one) => n + counts.sum(retryCounter(role, one)), 0);
    expect(retries).toBe(asked(world, role) - requests);
    expect(counts.sum(refusedCounter(role))).toBeGreaterThan(0);
    const failed = role === "prefill" ? outcomes.prefillFailed : outcomes.decodeFailed;
    const outcome = statuses.has(502) ? failed : outcomes.answered;
    expect(world.endedWith(outcome)).toBe(requests);
    // The overload is over.
    for (const engine of world.prefill) engine.script = prefills;
    for (const engine of world.decode) engine.script = decodes;
    world.runFor(20_000);
    expect(load(world, 0)).toEqual(new Map([[200, clients]]));
    world.runFor(5_000);
    world.expectNothingLeft();
  });

  test("fails all that arrives at one time, retries add their share and no more", () => {
    const world = worldOf();
    for (const engine of world[role]) engine.script = failures["responds with 500"]!;
    load(world, 0, 400);
    expect(asked(world, role)).toBeLessThanOrEqual((1 + share) * 400 + requestsMin);
  });
});

test("a failure that may not be retried says so in the log", () => {
  const logFormats = { sim: { format: "$status $outcome refused=$retry_refused" } };
  const budget = { share: 0.001, requestsMin: 0 };
  const world = worldOf({ route: { retry: { budget } }, config: { logFormats } });
  for (const engine of world.decode) engine.script = failures["responds with 500"]!;
  const client = world.ask({ prompt: "a", stream: true });
  expect(world.responseTo(client).status).toBe(500);
  expect(asked(world, "decode")).toBe(1);
  expect(world.lines.at(-1)).toContain("500 GP_OK refused=1");
});

test("a connection that never came up is retried without regard to the budget", () => {
  const budget = { share: 0.001, requestsMin: 0 };
  const world = worldOf({ route: { retry: { budget } } });
  for (const engine of world.prefill.slice(1)) engine.connects("refused");
  for (let i = 0; i < 4; i += 1) {
    expect(world.responseTo(world.ask({ prompt: `a${i}`, stream: true })).status).toBe(200);
  }
});

test("without a budget each engine is tried", () => {
  const world = worldOf({ route: { retry: { budget: { share: 0 } } } });
  for (const engine of world.decode) engine.script = failures["responds with 503"]!;
  load(world, 0);
  expect(asked(world, "decode")).toBe(4 * clients);
});

describe.each([50, 200])("%i requests at once", (atOnce) => {
  test.each([2, 4])("cost nobody a response if one of %i engines fails", (engines) => {
    for (const role of ["prefill", "decode"] as const) {
      for (const script of Object.values(failures)) {
        const world = worldOf({ prefill: engines, decode: engines });
        world[role][0]!.script = script;
        world.kv.consumed = false;
        const statuses = load(world, 150, atOnce);
        expect([...statuses.keys()]).toEqual([200]);
        expect(statuses.get(200)).toBeGreaterThan(atOnce);
      }
    }
  });
});
