/**
 * Prompts of which decode has most cached go there without a prefill; a wrong belief has decode compute long prompts.
 */
import { expect, test } from "vitest";
import { World, type WorldOptions } from "./world.ts";

/** 40,000 bytes, about 10,000 tokens. */
const chat = "what was said before ".repeat(2_000);
const ask = (world: World, prompt: string) =>
  world.responseTo(world.ask({ prompt, stream: false })).status;

function worldOf(pool: WorldOptions["pool"], options: WorldOptions = {}) {
  return new World({
    prefill: 1,
    decode: 3,
    route: { prefillMinTokens: 2_000 },
    pool: { cacheTokens: 1_000_000, ...pool },
    ...options,
  });
}

const prefilled = (world: World) => world.prefill[0]!.requests.length;
/** What decode engines had to compute by themselves, which they tell as a fault. */
const alone = (world: World) =>
  world.decode.flatMap(({ violations }) => violations.splice(0)).length;
const decoded = (world: World) => world.decode.map(({ requests }) => requests.length);

test("the next turn of a chat goes to the engine that has it, without a prefill; another chat is prefilled", () => {
  const world = worldOf({});
  expect(ask(world, chat)).toBe(200);
  const holder = decoded(world).indexOf(1);
  for (let turn = 1; turn < 4; turn += 1) {
    expect(ask(world, `${chat}${"and then ".repeat(turn)}`)).toBe(200);
    expect([prefilled(world), decoded(world)[holder]]).toEqual([1, turn + 1]);
  }
  expect(ask(world, `another ${chat}`)).toBe(200);
  expect([prefilled(world), alone(world)]).toEqual([2, 3]);
  world.expectNothingLeft();
});

test("a turn that adds a long text is prefilled", () => {
  const world = worldOf({});
  expect([ask(world, chat), ask(world, chat + "a long document ".repeat(700))]).toEqual([200, 200]);
  expect(prefilled(world)).toBe(2);
  world.expectNothingLeft();
});

test("nothing counts as cached if the size of caches is not configured", () => {
  const world = worldOf({ cacheTokens: 0 });
  expect([ask(world, chat), ask(world, chat)]).toEqual([200, 200]);
  expect(prefilled(world)).toBe(2);
  world.expectNothingLeft();
});

test("blocks that a cache of that size has evicted are prefilled again", () => {
  const world = worldOf({ cacheTokens: 100_000 }, { decode: 1 });
  for (let i = 0; i < 15; i += 1) expect(ask(world, `${i} ${chat}`)).toBe(200);
  expect(prefilled(world)).toBe(15);
  expect([ask(world, `14 ${chat}`), prefilled(world)]).toEqual([200, 15]);
  expect([ask(world, `0 ${chat}`), prefilled(world), alone(world)]).toEqual([200, 16, 1]);
  world.expectNothingLeft();
});

test("while the engine that has it is full or gone, the prompt is prefilled for another", () => {
  const world = worldOf({}, { engine: { maxConns: 1, maxFails: 1, failTimeoutMs: 60_000 } });
  const first = world.ask({ prompt: chat, stream: true, events: 40 });
  world.runUntil(() => decoded(world).includes(1), 5_000);
  const holder = decoded(world).indexOf(1);
  expect(ask(world, chat)).toBe(200);
  expect([prefilled(world), decoded(world)[holder]]).toEqual([2, 1]);
  expect(world.responseTo(first).status).toBe(200);
  world.expectNothingLeft();
});
