/** Pipelined requests get their responses one after the other, in order. */
import { expect, test } from "vitest";
import { pipelinedBytesMax } from "../../src/limits.ts";
import { completion } from "./client.ts";
import { decodes, response, type Script } from "./engine.ts";
import { rightResponse } from "./prompts.ts";
import { World } from "./world.ts";

const serves: Script = (request, connection) => {
  const [method, path] = request.startLine.split(" ");
  if (method === "POST") decodes(request, connection);
  else if (method === "HEAD") connection.send("HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n");
  else connection.send(response(`models ${path}`));
};

function newWorld(seed = 1): World {
  const world = new World({ seed, latencyMs: [0, 6], readBytes: [1, 900] });
  for (const engine of world.decode) engine.script = serves;
  return world;
}

test("mixed requests, all at once, get their responses in order", () => {
  for (let seed = 1; seed <= 20; seed += 1) {
    const world = newWorld(seed);
    const client = world.client();
    const expected: string[] = [];
    for (let i = 0; i < 24; i += 1) {
      const ask = { prompt: `prompt ${i}`, stream: i % 4 === 1 };
      if (i % 4 === 2) {
        client.send(`GET /v1/models/${i} HTTP/1.1\r\nHost: p\r\n\r\n`, "GET");
        expected.push(`models /v1/models/${i}`);
      } else if (i % 4 === 3) {
        client.send(`HEAD /v1/models/${i} HTTP/1.1\r\nHost: p\r\n\r\n`, "HEAD");
        expected.push("");
      } else {
        client.send(completion(ask));
        expected.push(rightResponse(ask));
      }
    }
    world.runUntil(() => client.answers.length === 24, 20_000);
    expect(
      client.answers.map(({ body }) => body.toString()),
      `seed ${seed}`,
    ).toEqual(expected);
    expect(world.lines).toHaveLength(24);
    world.expectNothingLeft();
  }
});

test.each([
  ["a malformed head", "B@D\r\n\r\n", 400],
  ["no host", "GET / HTTP/1.1\r\n\r\n", 400],
  [
    "a malformed chunk",
    "POST / HTTP/1.1\r\nHost: p\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    400,
  ],
  [
    "an oversized body",
    "POST /v1/completions HTTP/1.1\r\nHost: p\r\nContent-Length: 999999999\r\n\r\n",
    413,
  ],
])("%s in the middle ends the connection after its error", (_, bad, status) => {
  const world = newWorld();
  const client = world.client();
  const ask = { prompt: "before", stream: true };
  client.send(completion(ask));
  client.send(bad);
  for (let i = 0; i < 3; i += 1) client.send(completion(ask));
  world.runUntil(() => client.ended !== undefined, 5_000);
  expect(client.answers.map((one) => one.status)).toEqual([200, status]);
  expect(client.answers[0]!.body.toString()).toBe(rightResponse(ask));
  expect(client.answers[1]!.fields.get("connection")).toEqual(["close"]);
  expect(client.ended).toBe("fin");
  expect(client.midway).toBe(false);
  expect(world.decode.flatMap(({ requests }) => requests)).toHaveLength(1);
  expect(world.lines).toHaveLength(2);
  world.expectNothingLeft();
});

test("more than the proxy takes ahead is served all the same", () => {
  const world = newWorld();
  const client = world.client();
  const ask = { prompt: "x".repeat(20_000), stream: false };
  for (let i = 0; i < 30; i += 1) client.send(completion(ask));
  world.runUntil(() => client.answers.length === 30, 20_000);
  expect(new Set(client.answers.map(({ body }) => body.toString()))).toEqual(
    new Set([rightResponse(ask)]),
  );
  world.expectNothingLeft();
});

test.each(["POST /v1/completions", "GET /local"])(
  "a client that asks on and on (%s) and never reads costs bounded memory",
  (line) => {
    const text = "y".repeat(2_000);
    const world = new World({
      routes: [{ match: { path: "/local" }, steps: [{ return: { status: 200, text } }] }],
    });
    for (const engine of world.decode) engine.script = (_, { send }) => send(response(text));
    const client = world.client();
    client.connected = () => client.socket.pause();
    const request = line.startsWith("GET")
      ? `${line} HTTP/1.1\r\nHost: p\r\n\r\n`
      : completion({ prompt: "x", stream: false });
    let most = 0;
    for (let i = 0; i < 200; i += 1) {
      for (let j = 0; j < 20; j += 1) if (!client.socket.closed) client.send(request, "");
      world.runFor(50);
      most = Math.max(most, client.socket.peer!.pendingBytes);
    }
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThan(400_000);
    world.expectNothingLeft();
  },
);

test("a client that sends on and on behind a request is read no further than the bound", () => {
  const world = new World({ kernelBytes: 10_000, readBytes: [1, 10_000] });
  world.prefill[0]!.script = () => {};
  const client = world.client();
  const request = completion({ prompt: "x".repeat(1_000), stream: false });
  for (let i = 0; i < 500; i += 1) client.send(request);
  world.runFor(500);
  const { bytesRead } = client.socket.peer!;
  expect(bytesRead).toBeGreaterThan(pipelinedBytesMax);
  expect(bytesRead).toBeLessThan(pipelinedBytesMax + request.length + 10_000);
  // An end behind what is not read cannot be seen; a reset can.
  client.socket.reset();
  world.expectNothingLeft();
});

test("what comes behind the last request of a connection is read and dropped, so that no reset destroys the response", () => {
  const world = new World({ kernelBytes: 10_000 });
  const client = world.client();
  const ask = { prompt: "last", stream: true, events: 20 };
  client.send(completion(ask, "Connection: close\r\n"));
  for (let i = 0; i < 200; i += 1)
    client.send(completion({ prompt: "x".repeat(1_000), stream: false }), "");
  world.runUntil(() => client.ended !== undefined, 2_000);
  expect(client.ended).toBe("fin");
  expect(client.answers.map(({ body }) => body.toString())).toEqual([rightResponse(ask)]);
  expect(world.decode.flatMap(({ requests }) => requests)).toHaveLength(1);
  world.expectNothingLeft();
});

test("the log tells requests that were sent ahead from those that only share a connection", () => {
  const world = new World({ config: { logFormats: { sim: { format: "$pipe" } } } });
  const client = world.client();
  const ask = { prompt: "a", stream: false };
  client.send(completion(ask));
  world.responseTo(client);
  client.send(completion(ask) + completion(ask));
  world.runUntil(() => client.answers.length === 3, 1_000);
  expect(world.lines).toEqual([".", ".", "p"]);
  world.expectNothingLeft();
});
