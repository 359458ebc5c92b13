/** Why engines were chosen is told to those who may know, and to nobody else. */
import { expect, test } from "vitest";
import type { Decision } from "../../src/pool/engine-snapshot.ts";
import type { ClientResponse } from "./client.ts";
import { bodyOf, response, type Script } from "./engine.ts";
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

test("a policy's decisions name all engines, their load and score; the one with the least is chosen", () => {
  const world = worldOf({ pool: { policy: { name: "least_bytes" } } });
  const busy = world.ask({ ...ask, stream: true, events: 100 });
  world.runFor(100);
  const response = world.responseTo(world.ask(ask, wants));
  const [prefill, decode] = decisionsOf(response);
  expect(prefill).toMatchObject({ leg: "prefill", pool: "prefill", policy: "least_bytes" });
  expect(prefill!.engines).toHaveLength(3);
  expect(decode!.engines.map(({ score }) => (score ?? 0) > 0)).toEqual([false, true]);
  expect(decode!.engines[0]).toMatchObject({ engine: decode!.chosen, state: "fit", inFlight: 0 });
  expect(world.lines.at(-1)).toContain(`${prefill!.chosen} > ${decode!.chosen}`);
  world.responseTo(busy);
  world.expectNothingLeft();
});

test("a prompt that was held is told how long, and what each engine would have taken", () => {
  const world = worldOf({ prefill: 2, pool: { policy: { name: "predictive" } } });
  const [prefill] = decisionsOf(world.responseTo(world.ask(ask, wants)));
  expect(prefill).toMatchObject({ leg: "prefill", policy: "predictive" });
  expect(prefill!.heldMs).toBeGreaterThanOrEqual(0);
  expect(prefill!.engines).toEqual(
    [0, 1].map(() => ({
      engine: expect.any(String),
      waitMs: 0,
      uncachedTokens: expect.any(Number),
      prefillMs: expect.any(Number),
      score: expect.any(Number),
    })),
  );
  expect(prefill!.engines[0]!.engine).toBe(prefill!.chosen);
  world.expectNothingLeft();
});

test("each try is told, also where no engine could be had", () => {
  const world = worldOf();
  for (const engine of world.prefill) engine.connects("refused");
  const failed = world.responseTo(world.ask(ask, wants));
  expect(failed.status).toBe(502);
  const decisions = decisionsOf(failed).filter(({ leg }) => leg === "prefill");
  expect(decisions.length).toBeGreaterThanOrEqual(3);
  const states = (one: Decision) => one.engines.map((seen) => "state" in seen && seen.state);
  expect(states(decisions[2]!).toSorted()).toEqual(["fit", "tried", "tried"]);
  const next = decisionsOf(world.responseTo(world.ask(ask, wants)));
  expect(next[0]?.chosen ?? "").toBe("");
  world.expectNothingLeft();
});

test("of many engines the chosen one and the closest are told, the others are counted", () => {
  const world = worldOf({ prefill: 40, pool: { policy: { name: "least_conn" } } });
  const [prefill] = decisionsOf(world.responseTo(world.ask(ask, wants)));
  expect(prefill!.engines).toHaveLength(16);
  expect(prefill).toMatchObject({ untold: 24 });
  expect(prefill!.engines[0]!.engine).toBe(prefill!.chosen);
});

test("also an engine that was not chosen for its number or score stands first, with what it had before", () => {
  const world = worldOf({ prefill: 40, pool: { policy: { name: "round_robin" } } });
  const chosen = Array.from({ length: 40 }, () => {
    const [prefill] = decisionsOf(world.responseTo(world.ask(ask, wants)));
    const [first] = prefill!.engines;
    expect(first).toMatchObject({ engine: prefill!.chosen, state: "fit", inFlight: 0 });
    return prefill!.chosen;
  });
  expect(new Set(chosen).size).toBe(40);
});

test("nothing is told without the header, nor on a route that does not allow it", () => {
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
