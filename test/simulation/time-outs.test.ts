/** Each wait has an end: not before its time, and not long after it. */
import { expect, test } from "vitest";
import { deadlineTickMs } from "../../src/limits.ts";
import { type Client, codeOf, completion } from "./client.ts";
import { response } from "./engine.ts";
import {
  headerTimeoutMs,
  keepAliveTimeoutMs,
  timeouts,
  World,
  type WorldOptions,
} from "./world.ts";

const ask = { prompt: "waiting", stream: false };
const { connectTimeoutMs, readTimeoutMs, bodyTimeoutMs } = timeouts;
const alone = { prefill: 1, decode: 1 };

/** Begins at several distances from a tick, and checks how long it takes until `over`. */
function expectAfter(
  timeoutMs: number,
  options: WorldOptions,
  begin: (world: World, client: Client) => void,
  check: (world: World, client: Client) => void,
): void {
  for (const offsetMs of [0, 1, 50, 99]) {
    const world = new World(options);
    const client = world.client();
    world.runFor(deadlineTickMs + offsetMs);
    const startMs = world.network.nowMs();
    begin(world, client);
    world.runUntil(() => client.answers.length > 0 || client.ended !== undefined, 20_000);
    const tookMs = world.network.nowMs() - startMs;
    expect(tookMs).toBeGreaterThanOrEqual(timeoutMs);
    // A tick, and the way there and back of each leg.
    expect(tookMs).toBeLessThanOrEqual(timeoutMs + deadlineTickMs + 12);
    check(world, client);
    world.expectNothingLeft();
  }
}

const isAnswered = (status: number, code: string) => (world: World, client: Client) => {
  expect(client.answers.map((one) => [one.status, codeOf(one)])).toEqual([[status, code]]);
  expect(world.lines).toEqual([expect.stringContaining(`${status} ${code}`)]);
};

test("a head that does not come to its end gets 408", () => {
  expectAfter(
    headerTimeoutMs,
    {},
    (_, client) => client.send("GET / HTTP/1.1\r\nHo"),
    isAnswered(408, "GP_CLIENT_TIMEOUT"),
  );
});

test("a head that trickles in has no more time than any other", () => {
  const trickle = (world: World, client: Client) => {
    client.send("GET / HTTP/1.1\r\nX: ");
    const more = () => {
      if (client.answers.length > 0 || client.socket.closed) return;
      client.send("y", "");
      world.network.after(40, more);
    };
    more();
  };
  expectAfter(headerTimeoutMs, {}, trickle, isAnswered(408, "GP_CLIENT_TIMEOUT"));
});

test("a body that does not come to its end gets 408", () => {
  expectAfter(
    bodyTimeoutMs,
    {},
    (_, client) => client.send(completion(ask).slice(0, -1)),
    isAnswered(408, "GP_CLIENT_TIMEOUT"),
  );
});

test("a body that comes slowly has its time between two reads", () => {
  const world = new World();
  const client = world.client();
  const whole = completion(ask);
  const bodyStart = whole.indexOf("\r\n\r\n") + 4;
  client.send(whole.slice(0, bodyStart));
  for (let at = bodyStart; at < whole.length; at += 10) {
    world.runFor(bodyTimeoutMs - 50);
    client.send(whole.slice(at, at + 10), "");
  }
  expect(world.responseTo(client).status).toBe(200);
  world.expectNothingLeft();
});

test("a connection on which nothing is asked is closed without a word", () => {
  for (const [before, timeoutMs] of [
    ["", headerTimeoutMs],
    [completion(ask), keepAliveTimeoutMs],
  ] as const) {
    const world = new World();
    const client = world.client();
    if (before !== "") {
      client.send(before);
      world.responseTo(client);
    }
    const startMs = world.network.nowMs();
    world.runUntil(() => client.ended !== undefined, 10_000);
    expect(world.network.nowMs() - startMs).toBeGreaterThanOrEqual(timeoutMs);
    expect(world.network.nowMs() - startMs).toBeLessThanOrEqual(timeoutMs + deadlineTickMs + 5);
    expect(client.midway).toBe(false);
    expect(world.lines).toHaveLength(before === "" ? 0 : 1);
    world.expectNothingLeft();
  }
});

for (const role of ["prefill", "decode"] as const) {
  const code = `GP_${role.toUpperCase()}_TIMEOUT`;

  test(`a ${role} engine that does not take the connection in time is a 504`, () => {
    const begin = (world: World, client: Client) => {
      world[role][0]!.connects("silence");
      client.send(completion(ask));
    };
    expectAfter(connectTimeoutMs, alone, begin, isAnswered(504, code));
  });

  test(`a ${role} engine that does not answer in time is a 504`, () => {
    const begin = (world: World, client: Client) => {
      world[role][0]!.script = () => {};
      client.send(completion(ask));
    };
    expectAfter(readTimeoutMs, alone, begin, isAnswered(504, code));
  });

  test(`a ${role} engine that stops within its response is a 504`, () => {
    const begin = (world: World, client: Client) => {
      world[role][0]!.script = (_, { send }) => send(response("{}").subarray(0, -1));
      client.send(completion(ask));
    };
    expectAfter(readTimeoutMs, alone, begin, isAnswered(504, code));
  });
}

test("zero is no time-out", () => {
  const never = { connectTimeoutMs: 0, readTimeoutMs: 0, bodyTimeoutMs: 0, clientSendTimeoutMs: 0 };
  const world = new World({
    ...alone,
    route: never,
    server: { headerTimeoutMs: 0, keepAliveTimeoutMs: 0 },
  });
  const client = world.client();
  world.decode[0]!.script = (_, { send, after }) => {
    after(500_000, () => send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{"));
    after(900_000, () => send("}"));
  };
  const whole = completion(ask);
  world.runFor(100_000);
  for (const part of [
    whole.slice(0, 10),
    whole.slice(10, -10),
    whole.slice(-10, -5),
    whole.slice(-5),
  ]) {
    client.send(part, part === whole.slice(-5) ? "POST" : "");
    world.runFor(100_000);
  }
  expect(world.responseTo(client, 1_000_000).body.toString()).toBe("{}");
  world.runFor(100_000);
  expect(client.ended).toBeUndefined();
  world.expectNothingLeft();
});

test("a pooled connection idles for its time, then it is closed", () => {
  const world = new World();
  const client = world.ask(ask);
  world.responseTo(client);
  const { socket } = world.decode[0]!.connections[0]!;
  world.runFor(1_400);
  expect(socket.closed).toBe(false);
  world.runFor(300);
  expect(socket.closed).toBe(true);
  world.expectNothingLeft();
});
