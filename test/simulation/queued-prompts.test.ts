/** Prompts that wait for a prefill engine: none is lost, forgotten, or sent to an engine at capacity. */
import { describe, expect, test } from "vitest";
import type { z } from "zod";
import type { predictive } from "../../src/config/schema/pool/predictive.ts";
import { type Client, type ClientResponse, codeOf } from "./client.ts";
import { type Engine, prefills, type Script } from "./engine.ts";
import { World, type WorldOptions } from "./world.ts";

const prefillMs = 200;
/** Larger than what an engine is given of several prompts at once. */
const long = (name: string) => ({ prompt: `${name} `.repeat(2_000), stream: false });

/** Takes its time, and knows how much it has at once. */
function slow(engine: Engine, most: { atOnce: number }): Script {
  let running = 0;
  return (request, connection) => {
    running += 1;
    most.atOnce = Math.max(most.atOnce, running);
    connection.after(prefillMs, () => {
      running -= 1;
      if (!connection.socket.closed) prefills(request, connection);
    });
    expect(connection.engine).toBe(engine);
  };
}

function worldOf(policy: Partial<z.output<typeof predictive>> = {}, options: WorldOptions = {}) {
  const world = new World({
    prefill: 2,
    pool: { policy: { name: "predictive", ...policy } },
    ...options,
  });
  const most = { atOnce: 0 };
  for (const engine of world.prefill) engine.script = slow(engine, most);
  return { world, most };
}

const seenBy = ({ requests }: Engine) =>
  requests.map(({ body }) => (JSON.parse(body.toString()).prompt as string).split(" ")[0]);
/** The one response of each. */
function answersOf(world: World, clients: readonly Client[]) {
  world.runUntil(() => clients.every(({ answers }) => answers.length === 1), 60_000);
  return clients.map(({ answers }) => answers[0]!);
}
const statuses = (world: World, clients: readonly Client[]) =>
  answersOf(world, clients).map(({ status }) => status);
const codes = (world: World, clients: readonly Client[]) =>
  answersOf(world, clients).map((response) => (response.status === 200 ? "" : codeOf(response)));

test("an engine has one prompt at a time, however many wait, and all get a response", () => {
  const { world, most } = worldOf();
  const clients = Array.from({ length: 12 }, (_, i) => world.ask(long(`p${i}`)));
  expect(statuses(world, clients)).toEqual(clients.map(() => 200));
  expect(most.atOnce).toBe(1);
  expect(world.prefill.map((engine) => engine.requests.length)).toEqual([6, 6]);
  world.expectNothingLeft();
});

test("a client that leaves while it waits is never sent, and those behind it go on", () => {
  const { world } = worldOf({}, { prefill: 1 });
  const [first, gone, last] = ["first", "gone", "last"].map((name) => world.ask(long(name)));
  world.runFor(50);
  gone!.socket.destroy();
  expect(statuses(world, [first!, last!])).toEqual([200, 200]);
  expect(seenBy(world.prefill[0]!)).toEqual(["first", "last"]);
  expect(world.lines).toContain("499 GP_CLIENT_GONE - > -");
  world.expectNothingLeft();
});

test("an engine whose prompt's client has left during the prefill takes the next", () => {
  const { world } = worldOf({}, { prefill: 1 });
  const gone = world.ask(long("gone"));
  world.runFor(50);
  const last = world.ask(long("last"));
  gone.socket.destroy();
  expect(statuses(world, [last])).toEqual([200]);
  expect(world.network.nowMs()).toBeLessThan(2 * prefillMs);
  world.expectNothingLeft();
});

test("a prefill that fails is another engine's at once, and both go on with what waits", () => {
  const { world } = worldOf();
  world.prefill[0]!.script = (_, { socket }) => socket.destroy();
  const clients = Array.from({ length: 6 }, (_, i) => world.ask(long(`p${i}`)));
  expect(statuses(world, clients)).toEqual(clients.map(() => 200));
  expect(world.prefill[1]!.requests).toHaveLength(6);
  world.expectNothingLeft();
});

test("when no prefill engine is left, requests that wait get an error at once", () => {
  const { world } = worldOf();
  const clients = Array.from({ length: 6 }, (_, i) => world.ask(long(`p${i}`)));
  world.runFor(50);
  for (const engine of world.prefill) engine.connects("refused");
  for (const { socket } of world.prefill.flatMap(({ connections }) => connections))
    socket.destroy();
  const ends = ["GP_PREFILL_FAILED", "GP_NO_PREFILL_ENGINE"];
  expect(codes(world, clients).filter((code) => !ends.includes(code))).toEqual([]);
  expect(world.network.nowMs()).toBeLessThan(1_000);
  world.expectNothingLeft();
});

test("an engine that hangs delays those behind it only until it is late", () => {
  const { world } = worldOf(
    {},
    {
      pool: { policy: { name: "predictive" }, ejection: { rule: "max_fails" } },
      route: { readTimeoutMs: 30_000 },
    },
  );
  world.prefill[0]!.script = () => {};
  const clients = Array.from({ length: 6 }, (_, i) => world.ask(long(`p${i}`)));
  world.runFor(10_000);
  expect(clients.filter(({ answers }) => answers.length === 1)).toHaveLength(5);
});

describe("requests beyond a bound are rejected", () => {
  const retryAfter = ({ fields }: ClientResponse) => Number(fields.get("retry-after")?.[0]);

  test("where as many wait as may", () => {
    const { world } = worldOf({ queueMax: 2 });
    const clients = Array.from({ length: 4 }, (_, i) => world.ask(long(`p${i}`)));
    world.runFor(20);
    const late = world.responseTo(world.ask(long("late")));
    expect([late.status, codeOf(late), retryAfter(late)]).toEqual([503, "GP_QUEUE_FULL", 1]);
    expect(statuses(world, clients)).toEqual([200, 200, 200, 200]);
    world.expectNothingLeft();
  });

  test("when it has waited as long as it may", () => {
    const { world } = worldOf({ queueTimeoutMs: 300 }, { prefill: 1 });
    const clients = Array.from({ length: 4 }, (_, i) => world.ask(long(`p${i}`)));
    expect(codes(world, clients).sort()).toEqual(["", "", "GP_QUEUE_TIMEOUT", "GP_QUEUE_TIMEOUT"]);
    expect(seenBy(world.prefill[0]!)).toHaveLength(2);
    world.expectNothingLeft();
  });

  test("when its first token would come later than the operator wants anyone's to", () => {
    const { world } = worldOf({ ttftMaxMs: 1_500 }, { prefill: 1 });
    const clients = Array.from({ length: 2 }, (_, i) => world.ask(long(`p${i}`)));
    world.runFor(20);
    const more = Array.from({ length: 9 }, (_, i) => world.ask(long(`q${i}`)));
    const refused = answersOf(world, more).filter(({ status }) => status !== 200);
    expect(new Set(refused.map(codeOf))).toEqual(new Set(["GP_OVERLOADED"]));
    expect(refused.every((response) => response.status === 429 && retryAfter(response) >= 1)).toBe(
      true,
    );
    // A short one goes before those that wait, and does not wait for them.
    const short = world.ask({ prompt: "short", stream: false });
    expect(statuses(world, [...clients, short])).toEqual([200, 200, 200]);
    world.expectNothingLeft();
  });
});

test("nothing is prefilled for which decode has no capacity, and nothing is rejected for that", () => {
  const { world } = worldOf({}, { decode: 1, engine: { maxConns: 2 } });
  const asks = Array.from({ length: 8 }, (_, i) => ({
    ...long(`p${i}`),
    stream: true,
    events: 30,
  }));
  const clients = asks.map((ask) => world.ask(ask));
  let most = 0;
  const decode = world.decode[0]!;
  world.runUntil(() => {
    const prefilled = world.prefill.reduce((sum, { requests }) => sum + requests.length, 0);
    const answered = clients.filter(({ answers }) => answers.length === 1).length;
    most = Math.max(most, prefilled - answered);
    return answered === clients.length;
  }, 60_000);
  expect(new Set(clients.map(({ answers }) => answers[0]!.status))).toEqual(new Set([200]));
  expect(most).toBe(2);
  expect(decode.requests).toHaveLength(8);
  world.expectNothingLeft();
});

test("decode that computes a prompt by itself does not keep a prefill engine from others", () => {
  const { world } = worldOf({}, { prefill: 1, route: { onPrefillFailure: "decode_only" } });
  for (const engine of world.decode) engine.checksTransfer = false;
  world.prefill[0]!.script = (request, connection) =>
    request.body.includes("bad ")
      ? connection.socket.destroy()
      : slow(world.prefill[0]!, { atOnce: 0 })(request, connection);
  const bad = world.ask({ ...long("bad"), stream: true, events: 300 });
  world.runFor(20);
  const good = world.ask(long("good"));
  expect(world.responseTo(good).status).toBe(200);
  expect(bad.midway).toBe(true);
  bad.socket.destroy();
  world.runFor(50);
  world.expectNothingLeft();
});

test("requests that wait over a reload are served by the engines of the new configuration", () => {
  const { world } = worldOf();
  const clients = Array.from({ length: 6 }, (_, i) => world.ask(long(`p${i}`)));
  world.runFor(50);
  const { config } = world;
  const { prefill } = config.pools;
  const engines = prefill!.engines.slice(1);
  world.apply({ ...config, pools: { ...config.pools, prefill: { ...prefill!, engines } } });
  expect(statuses(world, clients)).toEqual(clients.map(() => 200));
  expect(world.prefill[0]!.requests).toHaveLength(1);
  expect(world.prefill[1]!.requests).toHaveLength(5);
  world.expectNothingLeft();
});

test("priority goes before length, and a tenant's many do not keep another's few waiting", () => {
  const { world } = worldOf({ tenant: "$http_x_tenant" }, { prefill: 1 });
  const ask = (name: string, lines: string) => world.ask(long(name), lines);
  ask("first", "X-Tenant: a\r\n");
  world.runFor(5);
  for (let i = 0; i < 4; i += 1) ask(`a${i}`, "X-Tenant: a\r\n");
  world.runFor(5);
  ask("b", "X-Tenant: b\r\n");
  ask("urgent", "X-Tenant: a\r\nX-Priority: -5\r\n");
  world.runFor(5_000);
  const seen = seenBy(world.prefill[0]!);
  expect(seen.slice(0, 3)).toEqual(["first", "urgent", "b"]);
  expect(seen).toHaveLength(7);
});

test("a prompt goes to the engine that has its beginning, also when that is busy", () => {
  const { world } = worldOf();
  const text = "a long conversation ".repeat(8_000);
  const turn = (n: number) => ({ prompt: `${text}${n}`, stream: false });
  statuses(world, [world.ask(turn(1))]);
  const home = world.prefill.findIndex(({ requests }) => requests.length === 1);
  // Something short keeps it busy; the other is idle.
  statuses(world, [world.ask(turn(2)), world.ask(turn(3))]);
  expect(world.prefill[home]!.requests).toHaveLength(3);
});

test("after a reload that takes an engine away a prompt still goes where it is cached", () => {
  const { world } = worldOf({}, { prefill: 3 });
  const chat = { prompt: "cached ".repeat(2_000), stream: false };
  expect(statuses(world, [world.ask(long("other")), world.ask(chat)])).toEqual([200, 200]);
  const [holder] = world.prefill.filter((engine) => seenBy(engine).includes("cached"));
  const { config } = world;
  const { prefill } = config.pools;
  // Another one than the holder; the others change their places in the list.
  const without = world.prefill.findIndex((engine) => engine !== holder);
  const engines = prefill!.engines.filter((_, i) => i !== without).reverse();
  world.apply({ ...config, pools: { ...config.pools, prefill: { ...prefill!, engines } } });
  for (let i = 0; i < 3; i += 1) expect(statuses(world, [world.ask(chat)])).toEqual([200]);
  expect(seenBy(holder!).filter((name) => name === "cached")).toHaveLength(4);
  world.expectNothingLeft();
});
