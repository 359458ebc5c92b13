/** LoRA adapters: a request reaches engines that have the one that it names, whatever was listed when. */
import { expect, test } from "vitest";
import { type Engine, response } from "./engine.ts";
import { a, ask, legs, usualLists, worldOf } from "./model-fleets.ts";

const sql = { id: "sql", parent: "llama" };

test("an adapter is asked for where it is loaded, on both legs", () => {
  const lists = { ...usualLists, prefill2: ["llama", sql], decode1: ["llama", sql] };
  const world = worldOf({ models: "auto" }, lists, a);
  for (let i = 0; i < 4; i += 1) expect(ask(world, "sql").status).toBe(200);
  expect(new Set(legs(world))).toEqual(new Set(["200 GP_OK prefill2 > decode1"]));
});

test("an adapter that no prefill engine lists is still tried there: engines may load it when it is asked for", () => {
  const world = worldOf({ models: "auto" }, { ...usualLists, decode1: ["llama", sql] }, a);
  expect(ask(world, "sql").status).toBe(200);
  expect(legs(world).at(-1)).toMatch(/prefill[12] > decode1$/);
});

/** As vLLM says it. */
function lacks(engine: Engine): void {
  const body = '{"error":{"message":"The model `sql` does not exist.","code":404}}';
  engine.script = (_, { send }) => send(response(body, "404 Not Found"));
}

for (const role of ["prefill", "decode"] as const) {
  test(`the 404 of a ${role} engine that has unloaded an adapter does not reach the client`, () => {
    const loaded = ["llama", sql];
    const lists = {
      ...usualLists,
      prefill1: loaded,
      prefill2: loaded,
      decode1: loaded,
      decode2: loaded,
    };
    const world = worldOf({ models: "auto" }, lists, a);
    lacks(world[role][0]!);
    for (let i = 0; i < 4; i += 1) expect(ask(world, "sql").status).toBe(200);
    expect(world[role][0]!.requests.length).toBeGreaterThan(0);
    world.expectNothingLeft();
  });

  test(`it does not either where only a ${role} engine has it that has not listed it yet`, () => {
    const list = { ...usualLists, prefill1: ["llama", sql], decode1: ["llama", sql] };
    const world = worldOf({ models: "auto" }, list, a);
    lacks(world[role][0]!);
    expect(ask(world, "sql").status).toBe(200);
  });
}

test("where all engines say that they do not have it, the client hears it as they said it", () => {
  const loaded = ["llama", sql];
  const world = worldOf(
    { models: "auto" },
    { ...usualLists, prefill1: loaded, decode1: loaded },
    a,
  );
  for (const engine of world.engines) lacks(engine);
  const { status, body } = ask(world, "sql");
  expect([status, body.toString()]).toEqual([404, expect.stringContaining("`sql` does not exist")]);
});
