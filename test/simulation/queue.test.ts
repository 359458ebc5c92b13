/**
 * Requests that wait for room: none is lost or sent to an engine that has as many as it may, and no room is lost with a
 * request.
 */
import { describe, expect, test } from "vitest";
import { type Client, codeOf, completion } from "./client.ts";
import { decodes, type Engine, prefills, type Script } from "./engine.ts";
import { World, type WorldOptions } from "./world.ts";

type Queue = NonNullable<NonNullable<WorldOptions["pool"]>["queue"]>;

const eachMs = 200;
const seenBy = ({ requests }: Engine) =>
  requests.map(({ body }) => (JSON.parse(body.toString()).prompt as string).split(" ")[0]);
const ask = (world: World, name: string, lines = "") =>
  world.ask({ prompt: `${name} ${"x".repeat(100)}`, stream: false }, lines);

/** Takes its time, and knows how many it has at once. */
function slow(script: Script, most: { atOnce: number }): Script {
  let running = 0;
  return (request, connection) => {
    running += 1;
    most.atOnce = Math.max(most.atOnce, running);
    connection.after(eachMs, () => {
      running -= 1;
      if (!connection.socket.closed) script(request, connection);
    });
  };
}

/** Engines that take one request at a time each. */
function worldOf(queue: Queue, options: WorldOptions = {}) {
  const world = new World({
    pool: { policy: { name: "least_conn" }, queue },
    engine: { maxConns: 1 },
    ...options,
  });
  const most = { prefill: { atOnce: 0 }, decode: { atOnce: 0 } };
  for (const one of world.prefill) one.script = slow(prefills, most.prefill);
  for (const one of world.decode) one.script = slow(decodes, most.decode);
  if (options.route?.prefill === undefined && options.route !== undefined)
    for (const one of world.decode) one.checksTransfer = false;
  return { world, most };
}

function statuses(world: World, clients: readonly Client[]) {
  world.runUntil(() => clients.every(({ answers }) => answers.length === 1), 60_000);
  return clients.map(({ answers }) => answers[0]!.status);
}

test.each([
  ["with a prefill", {}, 2 * eachMs],
  ["to one engine", { route: { prefill: undefined } }, eachMs],
])("%s, all that wait are answered in the order in which they came", (_, options, wholeMs) => {
  const { world, most } = worldOf({}, { prefill: 2, decode: 2, ...options });
  const names = Array.from({ length: 9 }, (_, i) => `p${i}`);
  const clients = names.map((name) => ask(world, name));
  expect(statuses(world, clients)).toEqual(names.map(() => 200));
  expect(most.decode.atOnce).toBe(1);
  const inOrder = (engine: Engine) => expect(seenBy(engine)).toEqual(seenBy(engine).toSorted());
  world.decode.forEach(inOrder);
  expect(new Set(world.decode.flatMap(seenBy))).toEqual(new Set(names));
  // As fast as the engines are, but for hops of 1 ms: five turns of two.
  expect(world.network.nowMs()).toBeLessThan(5.2 * wholeMs);
  world.expectNothingLeft();
});

test("where only decode is bounded, no prompt is prefilled that decode has no room for", () => {
  const keepAlive = { idleMs: 1_500 };
  const config = {
    pools: {
      prefill: { keepAlive, engines: [{ url: "prefill1:9000" }] },
      decode: {
        keepAlive,
        queue: {},
        engines: [{ url: "decode1:9000", maxConns: 2 }],
      },
    },
  };
  const { world, most } = worldOf({}, { prefill: 1, decode: 1, config });
  const clients = Array.from({ length: 6 }, (_, i) => ask(world, `p${i}`));
  world.runFor(eachMs - 50);
  expect(world.prefill[0]!.requests).toHaveLength(2);
  expect(statuses(world, clients)).toEqual(clients.map(() => 200));
  expect(most.decode.atOnce).toBe(2);
  world.expectNothingLeft();
});

test("one more than may wait and one that waited too long get an error; the others are served", () => {
  const { world } = worldOf({ max: 2, timeoutMs: 600 }, { prefill: 1, decode: 1 });
  const clients = ["a", "b", "c", "d"].map((name) => ask(world, name));
  expect(statuses(world, clients)).toEqual([200, 200, 503, 503]);
  const [, , late, full] = clients.map(({ answers }) => answers[0]!);
  expect([codeOf(full!), codeOf(late!)]).toEqual(["GP_QUEUE_FULL", "GP_QUEUE_TIMEOUT"]);
  for (const response of [late!, full!]) expect(response.fields.get("retry-after")).toBeDefined();
  expect(seenBy(world.prefill[0]!)).toEqual(["a", "b"]);
  world.expectNothingLeft();
});

test("a client that leaves while it waits costs nothing, and one that leaves its engine makes room", () => {
  const { world } = worldOf({}, { prefill: 1, decode: 1 });
  const [first, waits, last] = ["first", "waits", "last"].map((name) => ask(world, name));
  world.runFor(50);
  waits!.socket.destroy();
  world.runFor(5);
  first!.socket.destroy();
  expect(statuses(world, [last!])).toEqual([200]);
  expect(seenBy(world.prefill[0]!)).toEqual(["first", "last"]);
  expect(world.network.nowMs()).toBeLessThan(3 * eachMs);
  world.expectNothingLeft();
});

test("a lower priority goes first, and tenants take turns", () => {
  const queue = { tenant: "$http_x_tenant", fairnessMs: 1_000 };
  const { world } = worldOf(queue, { prefill: 1, decode: 1 });
  ask(world, "running", "X-Tenant: a\r\n");
  world.runFor(20);
  const clients = ["a1", "a2", "a3"].map((name) => ask(world, name, "X-Tenant: a\r\n"));
  world.runFor(5);
  clients.push(ask(world, "b1", "X-Tenant: b\r\n"));
  clients.push(ask(world, "urgent", "X-Tenant: a\r\nX-Priority: -5\r\n"));
  expect(statuses(world, clients)).toEqual(clients.map(() => 200));
  const [running, urgent, b1, ...rest] = seenBy(world.prefill[0]!);
  expect([running, urgent, b1]).toEqual(["running", "urgent", "b1"]);
  expect(rest).toEqual(["a1", "a2", "a3"]);
  world.expectNothingLeft();
});

test("without a queue there is no waiting, and with engines that are gone neither", () => {
  const without = worldOf({}, { prefill: 1, decode: 1, pool: { policy: { name: "least_conn" } } });
  const clients = ["a", "b"].map((name) => ask(without.world, name));
  expect(statuses(without.world, clients)).toEqual([200, 503]);
  without.world.expectNothingLeft();
  const gone = worldOf({}, { prefill: 1, decode: 1 });
  for (const engine of gone.world.prefill) engine.connects("refused");
  expect(statuses(gone.world, [ask(gone.world, "a")])).toEqual([502]);
  gone.world.expectNothingLeft();
});

test.each([
  ["are used where the others are full", "open", [3, 2]],
  ["are waited for where the others are gone", "refused", [0, 5]],
] as const)("backups %s", (_, primary, requests) => {
  const keepAlive = { idleMs: 1_500 };
  const engines = [
    { url: "decode1:9000", maxConns: 1 },
    { url: "decode2:9000", maxConns: 1, backup: true },
  ];
  const config = {
    pools: {
      prefill: { keepAlive, engines: [{ url: "prefill1:9000" }] },
      decode: { keepAlive, queue: {}, engines },
    },
  };
  const { world, most } = worldOf({}, { prefill: 1, decode: 2, config });
  if (primary === "refused") world.decode[0]!.connects("refused");
  // The one that is gone is found out by the first.
  const first = ask(world, "first");
  expect(statuses(world, [first])).toEqual([200]);
  const clients = Array.from({ length: 4 }, (_, i) => ask(world, `p${i}`));
  expect(statuses(world, clients)).toEqual(clients.map(() => 200));
  expect(world.decode.map((engine) => engine.requests.length)).toEqual(requests);
  expect(most.decode.atOnce).toBe(1);
  world.expectNothingLeft();
});

test("requests that wait follow a new configuration, also one without a queue", () => {
  const { world } = worldOf({}, { prefill: 1, decode: 1 });
  const clients = ["a", "b", "c"].map((name) => ask(world, name));
  world.runFor(50);
  world.apply(structuredClone(world.config));
  expect(statuses(world, clients)).toEqual([200, 200, 200]);
  // Without a queue, what still waits is told what it would have been told then.
  const more = ["d", "e"].map((name) => ask(world, name));
  world.runFor(50);
  const { prefill, decode } = world.config.pools;
  const pools = {
    prefill: { ...prefill!, queue: undefined },
    decode: { ...decode!, queue: undefined },
  };
  world.apply({ ...world.config, pools });
  expect(statuses(world, more)).toEqual([200, 503]);
  expect(codeOf(more[1]!.answers[0]!)).toBe("GP_PREFILL_FULL");
  world.expectNothingLeft();
});

const least = { name: "least_conn" } as const;
const kinds = {
  "holding prompts": { policy: { name: "predictive" }, queue: undefined },
  "a queue": { policy: least, queue: {} },
  neither: { policy: least, queue: undefined },
} as const;
const changes = [
  ["holding prompts", 1, "a queue", 1],
  ["holding prompts", 1, "neither", 0],
  ["a queue", 1, "holding prompts", 1],
  ["a queue", 1, "a queue", 4],
  ["a queue", 1, "a queue", 0],
  ["a queue", 1, "neither", 0],
  ["neither", 0, "holding prompts", 0],
  ["neither", 0, "a queue", 0],
] as const;

test.each(changes)(
  "from %s (maxConns %d) to %s (maxConns %d), no request is lost",
  (from, before, to, after) => {
    const keepAlive = { idleMs: 1_500 };
    const configOf = (kind: keyof typeof kinds, maxConns: number) => {
      const engines = [1, 2].map((n) => ({ url: `prefill${n}:9000`, maxConns }));
      return {
        pools: {
          prefill: { keepAlive, engines, ...kinds[kind] },
          decode: { keepAlive, engines: [{ url: "decode1:9000" }] },
        },
      };
    };
    const { world } = worldOf({}, { prefill: 2, decode: 1, config: configOf(from, before) });
    const clients = Array.from({ length: 7 }, (_, i) => ask(world, `p${i}`));
    world.runFor(50);
    world.apply(new World({ prefill: 2, decode: 1, config: configOf(to, after) }).config);
    clients.push(ask(world, "later"));
    expect(statuses(world, clients)).toEqual(clients.map(() => 200));
    world.expectNothingLeft();
  },
);

test.each([
  ["held", { name: "predictive" }, undefined],
  ["in a queue", least, {}],
] as const)(
  "where prompts wait %s, one whose engine dies waits for the next, though all are full",
  (_, policy, queue) => {
    const keepAlive = { idleMs: 1_500 };
    const engines = [1, 2].map((n) => ({ url: `prefill${n}:9000`, maxConns: 1 }));
    const config = {
      pools: {
        prefill: { keepAlive, policy, queue, engines },
        decode: { keepAlive, engines: [{ url: "decode1:9000" }] },
      },
    };
    const { world } = worldOf({}, { prefill: 2, decode: 1, config });
    const clients = Array.from({ length: 5 }, (_, i) => ask(world, `p${i}`));
    world.network.after(50, () => world.prefill[0]!.connects("refused"));
    // What it has is lost, and what comes to it after that, too.
    world.prefill[0]!.script = (_, connection) =>
      connection.after(100, () => connection.socket.cut("rst"));
    expect(statuses(world, clients)).toEqual(clients.map(() => 200));
    world.expectNothingLeft();
  },
);

test.each(["holding prompts", "a queue"] as const)(
  "%s, an engine that a reload adds takes its share of what waits, and no other is given more",
  (kind) => {
    const keepAlive = { idleMs: 1_500 };
    // A new one stands before others: their numbers change.
    const configOf = (...numbers: number[]) => ({
      pools: {
        prefill: {
          keepAlive,
          engines: numbers.map((n) => ({ url: `prefill${n}:9000`, maxConns: 1 })),
          ...kinds[kind],
        },
        decode: { keepAlive, engines: [{ url: "decode1:9000" }] },
      },
    });
    const { world, most } = worldOf({}, { prefill: 3, decode: 1, config: configOf(1, 2) });
    const clients = Array.from({ length: 8 }, (_, i) => ask(world, `p${i}`));
    world.runFor(50);
    world.apply(new World({ prefill: 3, decode: 1, config: configOf(3, 1, 2) }).config);
    expect(statuses(world, clients)).toEqual(clients.map(() => 200));
    expect(most.prefill.atOnce).toBe(1);
    expect(world.prefill[2]!.requests).toHaveLength(2);
    world.expectNothingLeft();
  },
);

describe("$held_ms is the time in queues, in ms", () => {
  const logFormats = { sim: { format: "$status $held_ms $queue_ms" } };
  const waitedOf = (world: World) =>
    world.lines.map((line) => {
      const [, heldMs, queueMs] = line.split(" ");
      expect(queueMs).toBe(heldMs);
      return heldMs === "-" ? undefined : Number(heldMs);
    });
  const kindOf = (kind: keyof typeof kinds) => ({
    logFormats,
    pools: {
      prefill: { ...kinds[kind], engines: [{ url: "prefill1:9000", maxConns: 1 }] },
      decode: { engines: [{ url: "decode1:9000" }] },
    },
  });

  test.each([
    ["holding prompts", 0],
    ["a queue", 0],
    ["neither", undefined],
  ] as const)("with %s, a slow upload to an idle proxy has not waited", (kind, waitedMs) => {
    const { world } = worldOf({}, { prefill: 1, decode: 1, config: kindOf(kind) });
    const [head, body] = completion({ prompt: "slow", stream: false }).split("\r\n\r\n");
    const client = world.client();
    client.send(`${head}\r\n\r\n${body!.slice(0, 4)}`);
    world.runFor(500);
    client.send(body!.slice(4));
    expect(statuses(world, [client])).toEqual([200]);
    expect(waitedOf(world)).toEqual([waitedMs]);
  });

  test.each(["holding prompts", "a queue"] as const)(
    "with %s, a request waits as long as the one before it is prefilled",
    (kind) => {
      const { world } = worldOf({}, { prefill: 1, decode: 1, config: kindOf(kind) });
      const first = ask(world, "first");
      world.runFor(50);
      const second = ask(world, "second");
      expect(statuses(world, [first, second])).toEqual([200, 200]);
      const [none, waitedMs] = waitedOf(world);
      expect(none).toBe(0);
      // Until the first one's prefill response, but for hops of 1 ms.
      expect(waitedMs).toBeGreaterThanOrEqual(eachMs - 50);
      expect(waitedMs).toBeLessThanOrEqual(eachMs - 50 + 6);
    },
  );
});
