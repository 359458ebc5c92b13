/**
 * One bad engine costs nobody a response: whatever it does, on either leg, among two engines or four, whether clients
 * wait or leave early, requests that a healthy engine could have served are served.
 */
import { describe, expect, test } from "vitest";
import { allDialects } from "../../src/dialects/registry.ts";
import { policies } from "../../src/policies/registry.ts";
import { decodes, prefills, response } from "./engine.ts";
import { junk, junkStreams, offers, rightShare, usually, ways, worldOf } from "./one-bad-engine.ts";

for (const role of ["prefill", "decode"] as const) {
  const whole = usually(role === "prefill" ? prefills : decodes);
  const all = Object.entries(ways).concat(
    Object.entries(role === "prefill" ? junk : { ...junk, ...junkStreams }).map(([what, turn]) => [
      `says ${what}`,
      turn,
    ]),
  );
  describe.each(all)(`a ${role} engine that %s`, (_, turn) => {
    test.each([2, 4])("among %i costs nobody a response", (engines) => {
      for (const waitMs of engines === 2 ? [60_000, 2_000] : [2_000]) {
        const world = worldOf(engines);
        const [bad] = world[role];
        const share = rightShare(world, waitMs, () => turn(bad!, whole, world));
        expect(share, `clients that wait ${waitMs} ms`).toBeGreaterThanOrEqual(0.99);
        world.runUntil(() => world.inFlight === 0, 70_000);
      }
    });
  });
}

/** Dialects whose legs these engines can be: their decode engines call nobody back. */
const otherDialects = allDialects
  .map(({ name }) => name)
  .filter((name) => name !== "omni" && name !== "vllm-ascend-layerwise");

describe.each(otherDialects)("with the dialect %s", (dialect) => {
  const kinds = ["resets", "responds with 500", "hangs", "sends a head and nothing else"];
  test.each(["prefill", "decode"] as const)("a bad %s engine costs nobody a response", (role) => {
    for (const [what, turn] of [
      ...kinds.map((kind) => [kind, ways[kind]!] as const),
      ...["an error", "a stream of nothing"].map((what) => [what, junk[what]!] as const),
    ]) {
      const world = worldOf(2, "round_robin", { dialect });
      for (const engine of world.engines) engine.checksTransfer = false;
      for (const engine of world.prefill) engine.script = usually(offers);
      const whole = usually(role === "prefill" ? offers : decodes);
      const [bad] = world[role];
      // They come and go within 2 s, and are not more than it takes.
      const share = rightShare(world, 2_000, () => turn(bad!, whole, world), 20);
      expect(share, what).toBeGreaterThanOrEqual(0.99);
    }
  });
});

describe.each(policies.map(({ name }) => name))("with the policy %s", (policy) => {
  test.each(["a prefill", "a whole"])("%s engine that hangs loses its traffic", (kind) => {
    const route = kind === "a prefill" ? {} : { prefill: undefined, dialect: "plain" as const };
    const world = worldOf(2, policy, route);
    const engines = kind === "a prefill" ? world.prefill : world.decode;
    if (kind === "a whole") for (const engine of engines) engine.checksTransfer = false;
    for (let i = 0; i < 12; i += 1) world.responseTo(world.ask({ prompt: `b${i}`, stream: true }));
    // The one that the policy prefers.
    const [bad] = [...engines].sort((one, other) => other.requests.length - one.requests.length);
    ways["hangs"]!(bad!, prefills, world);
    const before = bad!.requests.length;
    let right = 0;
    for (let i = 0; i < 40; i += 1) {
      const client = world.ask({ prompt: `a${i}`, stream: true });
      world.runFor(2_000);
      right += client.answers.length;
      client.socket.destroy();
    }
    // Some tries of an engine that may be back are among them.
    expect(bad!.requests.length - before).toBeLessThanOrEqual(10);
    expect(right).toBeGreaterThanOrEqual(39);
  });
});

describe.each(["prefill", "decode"] as const)("a request at which each %s engine fails", (role) => {
  test.each(["rst", "fin"] as const)("with a %s leaves the pool as it was", (how) => {
    const world = worldOf(2);
    for (const engine of world[role]) {
      const { script } = engine;
      engine.script = (request, connection) => {
        if (request.body.includes("cursed")) connection.socket.cut(how);
        else script(request, connection);
      };
    }
    for (let i = 0; i < 8; i += 1) {
      expect(world.responseTo(world.ask({ prompt: "cursed", stream: true })).status).toBe(502);
    }
    const pool = world[role].map((_, index) =>
      world.board.failures.count(index + (role === "prefill" ? 0 : 2)),
    );
    expect(pool).toEqual([0, 0]);
    for (let i = 0; i < 8; i += 1) {
      expect(world.responseTo(world.ask({ prompt: "fine", stream: true })).status).toBe(200);
    }
  });
});

const refusals = ["302 Found", "400 Bad Request", "401 Unauthorized", "404 Not Found", "422 No"];

describe.each(["prefill", "decode"] as const)("a %s engine that refuses", (role) => {
  test.each(refusals)("all with %s at once loses its traffic", (status) => {
    const world = worldOf(2);
    const share = rightShare(world, 2_000, () => {
      world[role][0]!.script = (_, { send }) => send(response('{"error":{}}', status));
    });
    expect(share).toBeGreaterThanOrEqual(0.98);
    expect(world[role][0]!.requests.length).toBeLessThan(100);
  });

  test.each([2, 4])("one of %i requests costs few clients anything", (count) => {
    const world = worldOf(2);
    const engine = world[role][0]!;
    const { script } = engine;
    engine.script = (request, connection) => {
      if (engine.requests.length % count > 0) script(request, connection);
      else connection.send(response('{"error":{}}', "404 Not Found"));
    };
    let right = 0;
    for (let i = 0; i < 80; i += 1)
      right += Number(
        world.responseTo(world.ask({ prompt: `a${i}`, stream: true })).status === 200,
      );
    expect(right).toBe(77);
  });

  test.each(["404 Not Found"])("what others refuse as well with %s stays as it was", (status) => {
    const world = worldOf(2);
    for (const engine of world[role]) {
      const { script } = engine;
      engine.script = (request, connection) => {
        if (request.body.includes("wrong")) connection.send(response('{"error":{}}', status));
        else script(request, connection);
      };
    }
    for (let i = 0; i < 40; i += 1)
      expect(world.responseTo(world.ask({ prompt: "wrong", stream: true })).status).toBe(404);
    // A quarter of them was tried at both.
    const tries = world[role][0]!.requests.length + world[role][1]!.requests.length;
    expect(tries).toBeLessThanOrEqual(52);
    for (let slot = 0; slot < 4; slot += 1) expect(world.board.failures.count(slot)).toBe(0);
    expect(world.responseTo(world.ask({ prompt: "fine", stream: true })).status).toBe(200);
  });
});

test.each(["501 Not Implemented", "507 No", "529 Overloaded"])(
  "an engine that responds with %s has failed as with 500",
  (status) => {
    for (const role of ["prefill", "decode"] as const) {
      const world = worldOf(2);
      world[role][0]!.script = (_, { send }) => send(response('{"error":{}}', status));
      for (let i = 0; i < 20; i += 1)
        expect(world.responseTo(world.ask({ prompt: "fine", stream: true })).status).toBe(200);
      expect(world[role][0]!.requests).toHaveLength(5);
    }
  },
);

test("one that is ejected, and back, serves what has failed at all others", () => {
  const world = worldOf(2);
  const [first, second] = world.decode;
  second!.connects("refused");
  for (let i = 0; i < 3; i += 1) world.responseTo(world.ask({ prompt: "fine", stream: true }));
  expect(world.board.health.ejectedUntil(3)).toBeGreaterThan(0);
  second!.connects(undefined);
  first!.connects("refused");
  for (let i = 0; i < 3; i += 1) {
    for (const { socket } of first!.connections) socket.destroy();
    expect(world.responseTo(world.ask({ prompt: "fine", stream: true })).status).toBe(200);
    expect(world.board.health.ejectedUntil(3)).toBe(0);
  }
});

test("an error of the only healthy engine is the client's: none that may be dead is asked", () => {
  const world = worldOf(2);
  const [first, second] = world.decode;
  second!.connects("refused");
  for (let i = 0; i < 3; i += 1) world.responseTo(world.ask({ prompt: "fine", stream: true }));
  expect(world.board.health.ejectedUntil(3)).toBeGreaterThan(0);
  second!.connects(undefined);
  first!.script = (_, { send }) => send(response('{"error":{}}', "500 Internal Server Error"));
  const before = second!.requests.length;
  expect(world.responseTo(world.ask({ prompt: "fine", stream: true })).status).toBe(500);
  expect(second!.requests).toHaveLength(before);
});

test("an engine that was ejected because it was late serves if the other one dies", () => {
  const world = worldOf(2);
  const [first, second] = world.prefill;
  const ask = { prompt: "fine", stream: true };
  for (let i = 0; i < 6; i += 1) world.responseTo(world.ask(ask));
  const { script } = second!;
  second!.script = () => {};
  while (world.board.health.ejectedUntil(1) === 0) world.responseTo(world.ask(ask), 30_000);
  second!.script = script;
  first!.connects("refused");
  for (const { socket } of first!.connections) socket.destroy();
  for (let i = 0; i < 3; i += 1) expect(world.responseTo(world.ask(ask)).status).toBe(200);
});

test("an engine at which one request fails that another engine serves is to blame", () => {
  const world = worldOf(2);
  world.prefill[0]!.script = (_, { socket }) => socket.cut("rst");
  for (let i = 0; i < 30; i += 1) {
    expect(world.responseTo(world.ask({ prompt: "fine", stream: true })).status).toBe(200);
  }
  expect(world.prefill[0]!.requests).toHaveLength(5);
});

test("a long prompt at an idle engine is not late, and a busy engine does not hang", () => {
  const world = worldOf(2);
  for (let i = 0; i < 6; i += 1) world.responseTo(world.ask({ prompt: "short", stream: true }));
  // About 25,000 tokens, for which a slow engine takes 8 s.
  const ask = { prompt: "long ".repeat(20_000), stream: true };
  for (const engine of world.prefill) {
    engine.script = (request, connection) =>
      connection.after(8_000, () => prefills(request, connection));
  }
  const client = world.ask(ask);
  expect(world.responseTo(client, 60_000).status).toBe(200);
  expect(world.prefill.flatMap(({ requests }) => requests)).toHaveLength(7);
});

test("a wait that another engine needs as well is no failure of the first", () => {
  const world = worldOf(2);
  for (let i = 0; i < 6; i += 1) world.responseTo(world.ask({ prompt: "short", stream: true }));
  for (const engine of world.prefill) {
    engine.script = (request, connection) =>
      connection.after(2_500, () => prefills(request, connection));
  }
  expect(world.responseTo(world.ask({ prompt: "odd", stream: true })).status).toBe(200);
  expect([0, 1].map((slot) => world.board.failures.count(slot))).toEqual([0, 0]);
});

test.each([true, false])(
  "engines are not late because the worker did not run (stream: %s)",
  (stream) => {
    const world = worldOf(2);
    for (let i = 0; i < 6; i += 1) world.responseTo(world.ask({ prompt: "fine", stream }));
    const before = world.engines.flatMap(({ requests }) => requests).length;
    const clients = Array.from({ length: 20 }, (_, i) => world.ask({ prompt: `c${i}`, stream }));
    // Half of them are with a prefill engine then, half with a decode engine.
    world.runFor(50);
    clients.push(...Array.from({ length: 20 }, (_, i) => world.ask({ prompt: `d${i}`, stream })));
    world.runFor(80);
    world.workers.pause(0);
    world.runFor(5_000);
    world.workers.resume(0);
    world.runUntil(() => clients.every(({ answers }) => answers.length > 0), 5_000);
    expect(clients.map(({ answers }) => answers[0]!.status)).toEqual(clients.map(() => 200));
    expect(world.slots.map((slot) => world.board.failures.count(slot))).toEqual([0, 0, 0, 0]);
    expect(world.engines.flatMap(({ requests }) => requests).length - before).toBe(80);
  },
);

test("a request that its engine was late with comes back to it if the other one is dead", () => {
  const world = worldOf(2);
  const [busy, dead] = world.prefill;
  for (let i = 0; i < 6; i += 1) world.responseTo(world.ask({ prompt: "fine", stream: true }));
  const { script } = busy!;
  busy!.script = () => {};
  // One of two requests in a row goes there.
  const clients = [1, 2].map((i) => world.ask({ prompt: `late ${i}`, stream: true }));
  world.runFor(500);
  // It works again before it is given up; what it had is gone.
  busy!.script = script;
  dead!.connects("refused");
  for (const { socket } of dead!.connections) socket.destroy();
  for (const client of clients) {
    world.runUntil(() => client.answers.length > 0, 10_000);
    expect(client.answers[0]!.status).toBe(200);
  }
});
