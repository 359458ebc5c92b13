/** An engine that responds at once with a success that is no response would draw the traffic of the whole pool. */
import { describe, expect, test } from "vitest";
import { chunk, chunkedHead, response, type Script } from "./engine.ts";
import { rightResponse } from "./prompts.ts";
import { World } from "./world.ts";

const says =
  (body: string, status = "200 OK"): Script =>
  (_, { send }) =>
    send(response(body, status));

const junk: Record<string, Script> = {
  "an error of FastAPI's": says('{"detail":"Internal Server Error"}'),
  "an object of nothing": says("{}"),
  "a list of nothing": says("[ ]"),
  "an empty text": says(""),
  "no content": (_, { send }) => send("HTTP/1.1 204 No Content\r\n\r\n"),
  "half of its JSON, as a part": says('{"choices":[', "206 Partial Content"),
  "a promise": says("", "202 Accepted"),
  "the end of a stream alone": (_, { send }) =>
    send(
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n" +
        `${chunk("data: [DONE]\n\n")}0\r\n\r\n`,
    ),
};

/** With a head of its own. */
const saysAs =
  (type: string, body: string, lines = ""): Script =>
  (_, { send }) =>
    send(
      `HTTP/1.1 200 OK\r\nContent-Type: ${type}\r\nContent-Length: ${body.length}\r\n${lines}\r\n${body}`,
    );

const streams =
  (...events: string[]): Script =>
  (_, { send, after }) => {
    send(chunkedHead);
    const end = "data: [DONE]\n\n";
    for (const [i, event] of [...events, end].entries())
      after(i, () => send(chunk(event) + (event === end ? "0\r\n\r\n" : "")));
  };

const whole = JSON.stringify({ choices: [{ text: "a" }] });

/** What has the right framing, and is no response to what was asked. */
const shapes: Record<string, Script> = {
  "bytes of some other kind": saysAs("application/octet-stream", "\x01\x02\x03"),
  "a page of XML": saysAs("application/xml", '<?xml version="1.0"?><e/>'),
  "what is not encoded as it says": saysAs("application/json", whole, "Content-Encoding: gzip\r\n"),
  "a stream that is not encoded as it says": saysAs(
    "text/event-stream",
    "data: {}\n\n",
    "Content-Encoding: gzip\r\n",
  ),
  "no choice": says('{"id":"x","choices":[]}'),
  "no choice, but its usage": says('{"choices":[],"usage":{"prompt_tokens":1}}'),
  "null for choices": says('{"choices":null}'),
  "something else": says('{"status":"ok"}'),
  "JSON with a fault inside": says('{"choices":[{"text":"a" "index":0}]}'),
  "a list of numbers": says("[1,2]"),
  "a stream that is not JSON": streams('data: {"choices":[{"text":"a" "index":0}]}\n\n'),
  "a stream of a number": streams("data: 42}\n\n"),
  "a stream of objects of nothing": streams("data: {}\n\n", "data: {}\n\n"),
  "a stream without choices": streams('data: {"choices":[]}\n\n'),
  "a stream of usage alone": streams('data: {"choices":[],"usage":{"prompt_tokens":1}}\n\n'),
  "a stream of an unknown field": streams("error: EngineDeadError\n\n"),
  "a stream that is an error with spaces": streams('data: { "error" : {"code":500}}\n\n'),
  "a stream that is an error without any": streams('data:{"error":{"code":500}}\n\n'),
};

const head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
/** Of unknown length. */
const unframed: Record<string, Script> = {
  "a page in chunks": (_, { send }) =>
    send(`${head}Transfer-Encoding: chunked\r\n\r\n${chunk("<html>")}0\r\n\r\n`),
  "a text in chunks": (_, { send }) =>
    send(`${head}Transfer-Encoding: chunked\r\n\r\n${chunk("Internal Server Error")}0\r\n\r\n`),
  "half of its JSON, and the end of the connection": (_, { send, socket }) => {
    send(`${head}\r\n{"choices":[{"te`);
    socket.end();
  },
  "nothing but the end of the connection": (_, { send, socket }) => {
    send(`${head}\r\n`);
    socket.end();
  },
};

describe.each([true, false])("of unknown length, streamed: %s", (stream) => {
  test.each(Object.entries(unframed))(
    "%s is a failure, and another engine is tried",
    (_, script) => {
      const world = new World();
      world.decode[0]!.script = script;
      const ask = { prompt: "mind the junk", stream };
      for (let count = 0; count < 30; count += 1) {
        expect(world.responseTo(world.ask(ask)).body.toString()).toBe(rightResponse(ask));
      }
      // Then it is ejected.
      expect(world.decode[0]!.requests).toHaveLength(5);
      world.expectNothingLeft();
    },
  );
});

test("a response of unknown length in one piece is what the engine says, however large", () => {
  for (const bytes of [10, 3_000_000]) {
    const world = new World({ kernelBytes: 8_000_000 });
    const text = JSON.stringify({ choices: [{ text: "l".repeat(bytes) }] });
    world.decode[0]!.script = (_, { send }) =>
      send(`${head}Transfer-Encoding: chunked\r\n\r\n${chunk(text)}0\r\n\r\n`);
    const got = world.responseTo(world.ask({ prompt: "long", stream: false }));
    expect(got.body.toString()).toBe(text);
    expect(world.decode[1]!.requests).toEqual([]);
    world.expectNothingLeft();
  }
});

describe.each([true, false])("streamed: %s", (stream) => {
  const ask = { prompt: "mind the junk", stream };
  const wrongKind = stream ? says(whole) : streams('data: {"choices":[{"text":"a"}]}\n\n');
  const all = { ...junk, ...shapes, "the other kind of response": wrongKind };
  test.each(Object.entries(all))("%s is a failure, and another engine is tried", (_, script) => {
    const world = new World();
    world.decode[0]!.script = script;
    const got = world.responseTo(world.ask(ask));
    expect([got.status, got.body.toString()]).toEqual([200, rightResponse(ask)]);
    expect(world.decode[1]!.requests).toHaveLength(1);
    world.expectNothingLeft();
  });
});

test("events that carry nothing yet go on together with the first that does", () => {
  const world = new World();
  const events = ['data: {"choices":[],"x":1}\n\n', 'data: {"choices":[{"text":"a"}]}\n\n'];
  world.decode[0]!.script = streams(...events);
  const got = world.responseTo(world.ask({ prompt: "filtered", stream: true }));
  expect(got.body.toString()).toBe(`${events.join("")}data: [DONE]\n\n`);
  expect(world.decode[1]!.requests).toEqual([]);
  world.expectNothingLeft();
});

test("a request that generates nothing may have any response: a browser asks whether it may", () => {
  const world = new World();
  for (const engine of world.decode) engine.script = says("OK");
  const client = world.client();
  client.send("OPTIONS /v1/chat/completions HTTP/1.1\r\nHost: p\r\nOrigin: a\r\n\r\n", "OPTIONS");
  expect(world.responseTo(client).body.toString()).toBe("OK");
  expect(world.decode.flatMap(({ requests }) => requests)).toHaveLength(1);
  world.expectNothingLeft();
});
