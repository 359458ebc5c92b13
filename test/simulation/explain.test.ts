/** `X-Explain` says why engines were chosen, truly, to those who may know and to nobody else. */
import { expect, test } from "vitest";
import type {
  Decision,
  EngineSnapshot,
  PlacementSnapshot,
} from "../../src/pool/engine-snapshot.ts";
import type { RequestLists } from "../../src/proxy/worker/explanations.ts";
import type { ClientResponse } from "./client.ts";
import { bodyOf, type Engine, prefills, response, type Script } from "./engine.ts";
import { requestBody } from "./prompts.ts";
import { World, type WorldOptions } from "./world.ts";

const ask = { prompt: "why there ".repeat(300), stream: false };
const wants = "X-Explain: 1\r\n";

function decisionsOf({ fields }: ClientResponse): Decision[] {
  const [text = "[]"] = fields.get("x-explain") ?? [];
  expect(text.length).toBeLessThan(16_384);
  return JSON.parse(text) as Decision[];
}

const worldOf = (options: WorldOptions = {}) =>
  new World({ prefill: 3, decode: 2, ...options, route: { explain: true, ...options.route } });

const namesOf = (decision: Decision) => decision.engines.map(({ engine }) => engine);
const countOf = (engines: readonly Engine[]) => engines.map(({ requests }) => requests.length);

test("a policy's decision names all engines with load and score: those that the policy really went by", () => {
  const world = worldOf({ pool: { policy: { name: "least_bytes" } } });
  const long = { ...ask, stream: true, events: 100 };
  const running = world.ask(long);
  world.runFor(100);
  const before = { prefill: countOf(world.prefill), decode: countOf(world.decode) };
  const [prefill, decode] = decisionsOf(world.responseTo(world.ask(ask, wants)));
  const idle = { state: "healthy", inFlight: 0, promptBytes: 0, score: 0 };
  expect(prefill).toMatchObject({ leg: "prefill", pool: "prefill", policy: "least_bytes" });
  expect(prefill!.engines.map(({ engine: _, ...rest }) => rest)).toEqual([idle, idle, idle]);
  expect(namesOf(prefill!).toSorted()).toEqual(world.prefill.map(({ address }) => address));
  const busy = before.decode.indexOf(1);
  const { length: promptBytes } = requestBody(long);
  expect(decode).toEqual({
    leg: "decode",
    pool: "decode",
    policy: "least_bytes",
    chosen: world.decode[1 - busy]!.address,
    engines: [
      { engine: world.decode[1 - busy]!.address, ...idle },
      {
        engine: world.decode[busy]!.address,
        state: "healthy",
        inFlight: 1,
        promptBytes,
        score: promptBytes,
      },
    ],
  });
  // The requests went where the decisions say.
  const chosen = world.prefill.find(({ address }) => address === prefill!.chosen)!;
  expect(chosen.requests.length).toBe(before.prefill[world.prefill.indexOf(chosen)]! + 1);
  expect(countOf(world.decode)).toEqual([1, 1]);
  expect(world.lines.at(-1)).toContain(`${prefill!.chosen} > ${decode!.chosen}`);
  world.responseTo(running);
  world.expectNothingLeft();
});

test("a prompt that waited in the queue is explained by its wait and the predicted time at each engine", () => {
  const world = worldOf({ prefill: 2, pool: { policy: { name: "predictive" } } });
  const arrivedMs: number[] = [];
  const prefillMs = [400, 700];
  world.prefill.forEach((engine, i) => {
    engine.script = (request, connection) => {
      arrivedMs.push(world.network.nowMs());
      connection.after(prefillMs[i]!, () => prefills(request, connection));
    };
  });
  // Both engines are busy for a while; the third prompt gets the first place.
  const first = ["a", "b"].map((text) => world.ask({ ...ask, prompt: text.repeat(3_000) }));
  world.runFor(100);
  expect(arrivedMs).toHaveLength(2);
  const askedMs = world.network.nowMs();
  const [prefill] = decisionsOf(world.responseTo(world.ask(ask, wants)));
  const waitedMs = arrivedMs[2]! - askedMs;
  expect(waitedMs).toBeGreaterThan(250);
  // Less the way from the client and to the engine.
  expect(prefill!.heldMs).toBeGreaterThanOrEqual(waitedMs - 8);
  expect(prefill!.heldMs).toBeLessThanOrEqual(waitedMs);
  const engines = prefill!.engines as readonly PlacementSnapshot[];
  expect(prefill).toMatchObject({ policy: "predictive", chosen: world.prefill[0]!.address });
  expect(engines[0]).toMatchObject({ engine: world.prefill[0]!.address, waitMs: 0 });
  for (const { waitMs, uncachedTokens, prefillMs: predictedMs, score } of engines) {
    // No engine has any of it.
    expect(uncachedTokens).toBeGreaterThan(ask.prompt.length / 8);
    expect(predictedMs).toBeGreaterThan(0);
    expect(score).toBeCloseTo(waitMs + predictedMs, 2);
  }
  world.runUntil(() => first.every(({ answers }) => answers.length === 1), 1_000);
  world.expectNothingLeft();
});

test("each attempt is explained, also one for which no engine was left", () => {
  const world = worldOf({ pool: { ejection: { rule: "max_fails" } } });
  for (const engine of world.prefill) engine.connects("refused");
  const failed = world.responseTo(world.ask(ask, wants));
  expect(failed.status).toBe(502);
  const decisions = decisionsOf(failed);
  const statesOf = ({ engines }: Decision) =>
    Object.fromEntries(
      engines.map((one) => [one.engine, "state" in one && (one.why ?? one.state)]),
    );
  const tried: string[] = [];
  for (const decision of decisions) {
    expect(decision.leg).toBe("prefill");
    expect(tried).not.toContain(decision.chosen);
    expect(statesOf(decision)).toEqual(
      Object.fromEntries(
        world.prefill.map(({ address }) => [
          address,
          tried.includes(address) ? "tried" : "healthy",
        ]),
      ),
    );
    tried.push(decision.chosen);
  }
  expect(tried.toSorted()).toEqual(world.prefill.map(({ address }) => address));
  // All are ejected now.
  const next = world.responseTo(world.ask(ask, wants));
  expect(next.status).toBe(502);
  const [none, ...more] = decisionsOf(next);
  expect([none!.chosen, more]).toEqual(["", []]);
  expect(Object.values(statesOf(none!))).toEqual(["failing", "failing", "failing"]);
  world.expectNothingLeft();
});

test("of many engines the chosen one and those with the lowest scores are named, the others are counted", () => {
  const world = worldOf({ prefill: 40, pool: { policy: { name: "least_conn" } } });
  // Thirty engines have a request that does not end.
  for (const engine of world.prefill) engine.script = () => {};
  const running = Array.from({ length: 30 }, () => world.ask(ask));
  world.runFor(100);
  const idle = world.prefill.filter(({ requests }) => requests.length === 0);
  expect(idle).toHaveLength(10);
  for (const engine of idle) engine.script = prefills;
  const [prefill] = decisionsOf(world.responseTo(world.ask(ask, wants)));
  expect(prefill).toMatchObject({ untold: 24 });
  const engines = prefill!.engines as readonly EngineSnapshot[];
  expect(engines).toHaveLength(16);
  expect(engines[0]!.engine).toBe(prefill!.chosen);
  const named = new Set(namesOf(prefill!));
  for (const { address } of idle) expect(named).toContain(address);
  expect(engines.filter(({ score }) => score === 0)).toHaveLength(10);
  expect(engines.filter(({ score, inFlight }) => score === 1 && inFlight === 1)).toHaveLength(6);
  for (const client of running) client.socket.destroy();
  world.expectNothingLeft();
});

test("an engine that was chosen neither by index nor score stands first, with its load before this request", () => {
  const world = worldOf({ prefill: 40, pool: { policy: { name: "round_robin" } } });
  const chosen = Array.from({ length: 40 }, (_, turn) => {
    const [prefill] = decisionsOf(world.responseTo(world.ask(ask, wants)));
    const [first] = prefill!.engines;
    expect(first).toMatchObject({ engine: prefill!.chosen, state: "healthy", inFlight: 0 });
    const used = world.prefill.find(({ address }) => address === prefill!.chosen)!;
    expect(used.requests, `turn ${turn}`).toHaveLength(1);
    return prefill!.chosen;
  });
  expect(new Set(chosen).size).toBe(40);
});

test("operators are told of requests that wait, and of those that the queue rejects", () => {
  const world = worldOf({
    prefill: 1,
    pool: { policy: { name: "predictive", queueMax: 1 } },
    config: { admin: { port: 1 } },
  });
  const lists = () => world.worker.tell({ about: "requests" }) as RequestLists;
  world.prefill[0]!.script = () => {};
  const running = Array.from({ length: 5 }, () => world.ask(ask));
  world.runFor(100);
  const waiting = lists().running.filter(({ waitsFor }) => waitsFor !== "");
  expect(waiting).toMatchObject([{ waitsFor: "prefill", status: 0, outcome: "", endMs: -1 }]);
  const rejected = running.filter(({ answers }) => answers.length > 0).length;
  expect(rejected).toBeGreaterThan(0);
  expect(lists().failed.length + lists().running.length).toBe(5);
  expect(lists().failed).toHaveLength(rejected);
  expect(lists().failed[0]).toMatchObject({
    status: 503,
    outcome: "GP_QUEUE_FULL",
    message: expect.stringMatching(/queue/),
    waitsFor: "",
  });
  for (const client of running) client.socket.destroy();
  world.expectNothingLeft();
});

test("nothing is explained without the header, nor on a route that does not allow it", () => {
  const world = worldOf();
  for (const lines of ["", "X-Explain: 0\r\n"]) {
    expect(world.responseTo(world.ask(ask, lines)).fields.has("x-explain")).toBe(false);
  }
  const closed = worldOf({ route: { explain: false } });
  expect(closed.responseTo(closed.ask(ask, wants)).fields.has("x-explain")).toBe(false);
});

/** As an engine whose tokenizer makes a token of each byte of the prompt. */
const prefillsBytewise: Script = (request, { engine, send }) => {
  const { prompt } = bodyOf(request);
  const kv = engine.kv.put(engine.address, prompt);
  const usage = { prompt_tokens: prompt.length };
  send(response(JSON.stringify({ choices: [], usage, kv_transfer_params: { kv } })));
};

test("policies that dispatch at once go by as many tokens as engines have reported for such prompts", () => {
  const world = worldOf({ prefill: 1, pool: { policy: { name: "predicted_time" } } });
  world.prefill[0]!.script = prefillsBytewise;
  const scoreOf = (i: number) => {
    const fresh = { prompt: `${i} `.repeat(4_000), stream: false };
    const [prefill] = decisionsOf(world.responseTo(world.ask(fresh, wants)));
    const { score = 0 } = prefill!.engines[0]! as { score?: number };
    return score;
  };
  const first = scoreOf(10);
  for (let i = 11; i < 98; i += 1) scoreOf(i);
  // Four times as many tokens as were expected, and a prefill's time beside its tokens.
  expect(scoreOf(99) / first).toBeGreaterThan(3.4);
});
