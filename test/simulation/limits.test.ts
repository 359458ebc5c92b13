/** Requests beyond a bound are rejected, and nothing of them stays. */
import { expect, test } from "vitest";
import { codeOf, completion } from "./client.ts";
import { chunk } from "./engine.ts";
import { rightResponse } from "./prompts.ts";
import { World } from "./world.ts";

const post = (lines: string, body: string, path = "/x") =>
  `POST ${path} HTTP/1.1\r\nHost: p\r\n${lines}\r\n\r\n${body}`;
const chunked = (bytes: number, size: number) =>
  `${chunk("b".repeat(size)).repeat(bytes / size)}0\r\n\r\n`;

test.each([
  ["by its length", post("Content-Length: 1001", "b".repeat(1_001))],
  ["by its length, before it comes", post("Content-Length: 1001", "", "/v1/completions")],
  ["in chunks", post("Transfer-Encoding: chunked", chunked(1_010, 10))],
  ["in one chunk", post("Transfer-Encoding: chunked", chunked(5_000, 5_000))],
])("a body that is too large is refused %s", (_, request) => {
  for (const readBytes of [
    [1, 1],
    [1, 400],
    [65_536, 65_536],
  ] as const) {
    const world = new World({ readBytes, route: { bodyBytesMax: 1_000 } });
    const client = world.client();
    client.send(request);
    const refused = world.responseTo(client, 400);
    expect([refused.status, codeOf(refused)]).toEqual([413, "GP_BODY_TOO_LARGE"]);
    expect(refused.fields.get("connection")).toEqual(["close"]);
    if (request.includes("/v1/")) {
      expect(refused.fields.get("x-request-id")?.[0]).toMatch(/^[0-9a-f-]{36}$/);
    }
    expect(world.worker.bodies.bytes).toBe(0);
    world.runUntil(() => client.ended === "fin", 100);
    expect(world.lines).toHaveLength(1);
    expect(world.decode.flatMap(({ requests }) => requests)).toEqual([]);
    world.expectNothingLeft();
  }
});

test.each([
  ["by its length", post("Content-Length: 1000", "b".repeat(1_000))],
  ["in chunks", post("Transfer-Encoding: chunked", chunked(1_000, 10))],
])("a body of the largest size is taken %s", (_, request) => {
  const world = new World({ route: { bodyBytesMax: 1_000 } });
  world.decode[0]!.script = ({ body }, { send }) =>
    send(`HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n${body.length}`);
  const client = world.client();
  client.send(request);
  expect(world.responseTo(client).body.toString()).toBe("1000");
  world.expectNothingLeft();
});

test("what a refused client still sends is read for a while, so that it gets to see why", () => {
  const world = new World({ kernelBytes: 20_000, route: { bodyBytesMax: 1_000 } });
  const client = world.client();
  const body = "b".repeat(500_000);
  client.send(post(`Content-Length: ${body.length}`, body));
  expect(world.responseTo(client).status).toBe(413);
  expect(client.ended).not.toBe("rst");
  world.expectNothingLeft();
});

test.each([
  ["at once", [65_536, 65_536]],
  ["bit by bit", [1, 700]],
] as const)("a head that is too large is refused %s", (_, readBytes) => {
  const world = new World({ readBytes, server: { headBytesMax: 2_000 } });
  const client = world.client();
  client.send(`GET / HTTP/1.1\r\nHost: p\r\nX: ${"y".repeat(2_100)}\r\n\r\n`, "GET");
  const refused = world.responseTo(client);
  expect(refused.status).toBe(431);
  world.runUntil(() => client.ended === "fin", 100);
  expect(world.lines).toHaveLength(1);
  world.expectNothingLeft();
});

test("bodies of all clients together are bounded; those that are in go on", () => {
  const world = new World({ config: { bodyBytesTotalMax: 3_600 } });
  const ask = { prompt: "p".repeat(900), stream: true };
  const clients = Array.from({ length: 5 }, () => world.ask(ask));
  world.runUntil(() => clients.every(({ answers }) => answers.length === 1), 1_000);
  const statuses = clients.map(({ answers }) => answers[0]!.status);
  expect(statuses).toEqual([200, 200, 200, 503, 503]);
  expect(codeOf(clients[4]!.answers[0]!)).toBe("GP_MEMORY_FULL");
  expect(clients[4]!.answers[0]!.fields.get("retry-after")).toEqual(["1"]);
  expect(clients[0]!.answers[0]!.body.toString()).toBe(rightResponse(ask));
  expect(world.worker.bodies.bytes).toBe(0);
  // There is room again.
  expect(world.responseTo(world.ask(ask)).status).toBe(200);
  world.expectNothingLeft();
});

test.each([
  ["of prefills", "prefill"],
  ["of decode", "decode"],
] as const)("responses %s that are held back count with bodies, until they are over", (_, kind) => {
  const world = new World({ config: { bodyBytesTotalMax: 10_000 } });
  const right = world[kind].map(({ script }) => script);
  for (const engine of world[kind]) {
    engine.script = (_request, { send }) =>
      send(`HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n${"a".repeat(4_000)}`);
  }
  const ask = { prompt: "p", stream: false };
  const clients = Array.from({ length: 3 }, () => world.ask(ask));
  world.runUntil(() => clients.some(({ answers }) => answers.length === 1), 1_000);
  const answered = clients.flatMap(({ answers }) => answers);
  expect(answered.map(codeOf)).toEqual(["GP_MEMORY_FULL"]);
  expect(world.worker.bodies.bytes).toBeGreaterThan(8_000);
  for (const client of clients) client.socket.destroy();
  for (const [index, script] of right.entries()) world[kind][index]!.script = script;
  world.runUntil(() => world.worker.bodies.bytes === 0, 10_000);
  expect(world.responseTo(world.ask(ask)).body.toString()).toBe(rightResponse(ask));
  world.expectNothingLeft();
});

test("clients above the bound are not taken, and the place of one that left is free", () => {
  const world = new World({ config: { connectionsMax: 2 } });
  const clients = [world.client(), world.client(), world.client()];
  world.runFor(20);
  expect(clients.map(({ ended }) => ended)).toEqual([undefined, undefined, "fin"]);
  clients[0]!.socket.destroy();
  world.runFor(5);
  expect(world.responseTo(world.ask({ prompt: "p", stream: false })).status).toBe(200);
  world.expectNothingLeft();
});

test("without a descriptor for an engine's connection requests get 503, and no engine is to blame", () => {
  const world = new World({ prefill: 2, decode: 2 });
  const ask = { prompt: "p", stream: false };
  const all = [...world.prefill, ...world.decode];
  for (const engine of all) engine.connects("EMFILE");
  for (let count = 0; count < 20; count += 1) {
    const client = world.ask(ask);
    const refused = world.responseTo(client, 1_000);
    expect([refused.status, codeOf(refused)]).toEqual([503, "GP_NO_DESCRIPTORS"]);
  }
  for (const engine of all) engine.connects(undefined);
  for (let count = 0; count < 8; count += 1) {
    expect(world.responseTo(world.ask(ask)).status).toBe(200);
  }
  // Had they been ejected, some would have got nothing.
  for (const engine of all) expect(engine.requests.length).toBeGreaterThan(0);
  world.expectNothingLeft();
});

test("engines get no more than their limit; a request that finds all full gets an error", () => {
  const world = new World({ prefill: 2, engine: { maxConns: 2 } });
  for (const engine of world.prefill) engine.script = () => {};
  const clients = Array.from({ length: 5 }, () => world.ask({ prompt: "p", stream: false }));
  world.runFor(50);
  expect(world.prefill.map(({ requests }) => requests.length)).toEqual([2, 2]);
  const refused = clients.flatMap(({ answers }) => answers);
  expect(refused.map((one) => [one.status, codeOf(one)])).toEqual([[503, "GP_PREFILL_FULL"]]);
  world.expectNothingLeft();
});

test("a connection serves so many requests, and says so with the last", () => {
  const world = new World({ server: { keepAliveRequests: 3 } });
  const client = world.client();
  for (let i = 0; i < 5; i += 1) client.send(completion({ prompt: "p", stream: false }));
  world.runUntil(() => client.ended !== undefined, 1_000);
  expect(client.answers.map(({ fields }) => fields.get("connection")?.[0])).toEqual([
    undefined,
    undefined,
    "close",
  ]);
  world.expectNothingLeft();
});

test("a connection to an engine serves so many requests", () => {
  const world = new World({ decode: 1, pool: { keepAlive: { requests: 2 } } });
  for (let i = 0; i < 5; i += 1) {
    expect(world.responseTo(world.ask({ prompt: "p", stream: false })).status).toBe(200);
  }
  expect(world.decode[0]!.connections.map(({ requests }) => requests)).toEqual([2, 2, 1]);
  expect(world.decode[0]!.openConnections).toBe(1);
  world.runFor(5_000);
  world.expectNothingLeft();
});

test("so many connections to an engine idle", () => {
  const world = new World({ decode: 1, pool: { keepAlive: { connections: 2, idleMs: 1_500 } } });
  const clients = Array.from({ length: 5 }, () => world.ask({ prompt: "p", stream: true }));
  for (const client of clients) world.responseTo(client);
  expect(world.decode[0]!.connections).toHaveLength(5);
  world.runFor(5);
  expect(world.decode[0]!.openConnections).toBe(2);
  world.expectNothingLeft();
});
