/** An engine that responds at once with a success that is no response would draw the traffic of the whole pool. */
import { describe, expect, test } from "vitest";
import { chunk, response, type Script } from "./engine.ts";
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
  test.each(Object.entries(junk))("%s is a failure, and another engine is tried", (_, script) => {
    const world = new World();
    world.decode[0]!.script = script;
    const got = world.responseTo(world.ask(ask));
    expect([got.status, got.body.toString()]).toEqual([200, rightResponse(ask)]);
    expect(world.decode[1]!.requests).toHaveLength(1);
    world.expectNothingLeft();
  });
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
