/** An engine that responds at once with a success that is no response would draw the traffic of the whole pool. */
import { describe, expect, test } from "vitest";
import { response, type Script } from "./engine.ts";
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
};

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
