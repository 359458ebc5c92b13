/**
 * Comments while a stream waits for its first token: nothing but the stream changes for a client that reads events, and
 * what fails behind the early head is an event that it can see.
 */
import { describe, expect, test } from "vitest";
import {
  chunk,
  chunkedHead,
  decodes,
  decodesUntilClosed,
  type Engine,
  prefills,
  response,
  type Script,
} from "./engine.ts";
import { rightResponse } from "./prompts.ts";
import { World, type WorldOptions } from "./world.ts";

const ask = { prompt: "the sea", stream: true };
const comment = ": keep-alive\n\n";
const everyMs = 200;
const route = { keepAliveCommentMs: everyMs };
const waitMs = 900;

const after =
  (script: Script, delayMs = waitMs): Script =>
  (request, connection) =>
    connection.after(delayMs, () => script(request, connection));

const withoutComments = (body: string) => body.replaceAll(comment, "");

function worldOf(decode: Script, options: WorldOptions = {}): World {
  const world = new World({ ...options, route: { ...route, ...options.route } });
  for (const engine of world.decode) engine.script = decode;
  return world;
}

describe.each(["1.1", "1.0"])("HTTP/%s", (version) => {
  test.each([
    ["in chunks", decodes],
    ["until the engine closes", decodesUntilClosed],
  ] as const)("a stream %s comes behind comments, whole", (_, script) => {
    for (const readBytes of [1, 65_536]) {
      const world = worldOf(after(script), { readBytes: [1, readBytes] });
      const client = world.ask(ask, "", version);
      world.runFor(waitMs - 50);
      expect(client.receivedText).toMatch(/^HTTP\/1\.1 200 OK\r\n.*text\/event-stream/s);
      expect(client.receivedText.split(comment).length - 1).toBeGreaterThanOrEqual(2);
      const body = world.responseTo(client).body.toString();
      expect(withoutComments(body)).toBe(rightResponse(ask));
      expect(body.indexOf("data:")).toBeGreaterThan(body.lastIndexOf(comment));
      expect(world.lines).toEqual([expect.stringContaining("200 GP_OK")]);
      world.runFor(20);
      world.expectNothingLeft();
    }
  });
});

/** Sends the head at once, as uvicorn does, and nothing of the body for a while. */
const headFirst =
  (script: Script): Script =>
  (request, connection) => {
    const isClosing = script === decodesUntilClosed;
    const head = isClosing
      ? "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
      : chunkedHead;
    connection.send(head);
    const send = (text: string | Buffer) => text !== head && connection.send(text);
    connection.after(waitMs, () => script(request, { ...connection, send }));
  };

describe.each(["1.1", "1.0"])("HTTP/%s", (version) => {
  test.each([
    ["in chunks", decodes],
    ["until the engine closes", decodesUntilClosed],
  ] as const)("comments come behind the head of a stream %s, too", (_, script) => {
    for (const dialect of ["omni", "vllm-ascend"] as const) {
      const world = worldOf(headFirst(script), { route: { ...route, dialect } });
      for (const engine of world.engines) engine.checksTransfer = false;
      const client = world.ask(ask, "", version);
      const body = world.responseTo(client).body.toString();
      expect(body).toContain(comment);
      expect(withoutComments(body)).toBe(rightResponse(ask));
      expect(world.lines).toEqual([expect.stringContaining("200 GP_OK")]);
      world.runFor(20);
      world.expectNothingLeft();
    }
  });
});

test.each([
  [
    "a refusal",
    response('{"error":\n{"message":"no"}}', "400 Bad Request"),
    '{"error": {"message":"no"}}',
  ],
  ["an answer in one piece", response('{"choices":[]}'), '{"choices":[]}'],
] as const)("%s is one event, since it is too late for its status", (_, said, event) => {
  const world = worldOf(after((_, { send }) => send(said)));
  const client = world.ask(ask);
  expect(withoutComments(world.responseTo(client).body.toString())).toBe(`data: ${event}\n\n`);
  world.expectNothingLeft();
});

test("an error of the proxy's own is an event, and so is what is no JSON", () => {
  for (const script of [
    after((_, { socket }) => socket.cut("rst")),
    after((_, { send }) => send(response("<html>", "502 Bad Gateway"))),
  ]) {
    const world = worldOf(script, { decode: 1 });
    const body = withoutComments(world.responseTo(world.ask(ask)).body.toString());
    expect(body).toMatch(/^data: \{"error":\{.*"code":"GP_DECODE_\w+"\}\}\n\n$/);
    expect(body).not.toContain("[DONE]");
    world.expectNothingLeft();
  }
});

test("another engine is still tried behind an early head", () => {
  const world = worldOf(decodes);
  let tries = 0;
  for (const engine of world.decode) {
    engine.script = (request, connection) => {
      tries += 1;
      if (tries > 1) decodes(request, connection);
      else connection.after(waitMs, () => connection.socket.cut("rst"));
    };
  }
  const body = world.responseTo(world.ask(ask)).body.toString();
  expect(body.startsWith(comment)).toBe(true);
  expect(withoutComments(body)).toBe(rightResponse(ask));
  world.expectNothingLeft();
});

test("a request in the queue has them, and one that leaves is cancelled", () => {
  const queued = { decode: 1, prefill: 1, pool: { queue: {} }, engine: { maxConns: 1 } };
  const world = worldOf(() => {}, queued);
  const first = world.ask(ask);
  const second = world.ask(ask);
  world.runFor(waitMs);
  expect(second.receivedText).toContain(comment);
  const [decode] = world.decode as [Engine];
  decode.script = decodes;
  first.socket.destroy();
  expect(withoutComments(world.responseTo(second).body.toString())).toBe(rightResponse(ask));
  world.expectNothingLeft();
});

test("a stream that breaks off behind them is broken", () => {
  const world = worldOf(
    after((_, { send, socket, after: later }) => {
      send(chunkedHead + chunk("data: {}\n\n"));
      later(20, () => socket.cut("rst"));
    }),
  );
  const client = world.ask(ask);
  world.runUntil(() => client.ended !== undefined, 5_000);
  expect(client.answers).toEqual([]);
  expect(world.lines).toEqual([expect.stringContaining("GP_TRUNCATED")]);
  world.expectNothingLeft();
});

test.each([
  ["no stream", { ...ask, stream: false }, route, decodes],
  ["a stream that comes in time", ask, route, decodes],
  ["a route without them", ask, { keepAliveCommentMs: 0 }, after(decodes)],
] as const)("%s has none", (_, asked, more, script) => {
  const world = worldOf(script, { route: more });
  for (const engine of world.prefill) engine.script = prefills;
  const client = world.ask(asked);
  expect(world.responseTo(client).body.toString()).toBe(rightResponse(asked));
  expect(client.receivedText).not.toContain(": keep-alive");
  world.expectNothingLeft();
});
