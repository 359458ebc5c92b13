/**
 * An event stream that only the end of its connection ends looks the same when its engine dies. The client gets a clean
 * end only behind the end that the API itself has.
 */
import { describe, expect, test } from "vitest";
import { codeOf } from "./client.ts";
import type { Engine, Script } from "./engine.ts";
import { World } from "./world.ts";

const head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";
const named = (name: string, data = "") => `event: ${name}\ndata: {"type":"${name}"${data}}\n\n`;
const text = (data: string) => `data: {"choices":[{"text":${JSON.stringify(data)}}]}\n\n`;
/** What only looks like an end. */
const hazard = "\nevent: message_stop\ndata: [DONE]\n\n";

const streams = {
  "/v1/completions": [text("a"), text(hazard), "data: [DONE]\n\n"],
  "/v1/chat/completions": [text("a"), text(hazard), "data: [DONE]\r\n\r\n"],
  "/v1/messages": [named("message_start"), text(hazard), named("message_stop")],
  "/v1/responses": [
    named("response.created"),
    text(hazard),
    named("response.completed", `,"output":${JSON.stringify(hazard.repeat(3))}`),
  ],
} as const;

function worldOf(byEndpoint: boolean, decode: number, readBytes: number, retry: object = {}) {
  const accessLogs = [{ file: "log", format: "sim" }];
  const common = { target: { pool: "decode" }, byEndpoint, retry, accessLogs };
  const routes = Object.keys(streams).map((path) => ({
    match: { kind: "exact" as const, path },
    ...common,
  }));
  const world = new World({ decode, routes, readBytes: [1, readBytes] });
  for (const engine of world.engines) engine.checksTransfer = false;
  return world;
}

/** Says so much, and then closes as an engine does that is done. */
const closesAfter =
  (body: string): Script =>
  (_, { send, socket }) => {
    send(head + body);
    socket.end();
  };

function ask(world: World, path: string, version = "1.1") {
  const client = world.client();
  const body = '{"stream":true}';
  client.send(
    `POST ${path} HTTP/${version}\r\nHost: proxy\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  world.runUntil(() => client.answers.length > 0 || client.ended !== undefined, 2_000);
  return client;
}

describe.each(Object.entries(streams))("%s", (path, events) => {
  const whole = events.join("");
  const end = events.at(-1)!;
  /** From here on the end has come: all of the last event, or `[DONE]`. */
  const endAt = end.startsWith("data: [DONE]") ? whole.lastIndexOf("]") + 1 : whole.length;

  test.each([1, 7, 65_536])("cut anywhere, reads of up to %i bytes", (readBytes) => {
    for (let bytes = whole.length - end.length; bytes <= whole.length; bytes += 1) {
      const world = worldOf(true, 1, readBytes, { on: ["off"] });
      world.decode[0]!.script = closesAfter(whole.slice(0, bytes));
      const client = ask(world, path);
      if (bytes >= endAt) expect(client.answers[0]!.body.toString()).toBe(whole.slice(0, bytes));
      else {
        expect(client.answers, `after ${bytes} bytes`).toEqual([]);
        expect(client.partialBody).toBe(whole.slice(0, bytes));
        expect(world.lines).toEqual([expect.stringContaining("GP_TRUNCATED")]);
      }
      world.expectNothingLeft();
    }
  });
});

test("a client of HTTP/1.0 gets a reset, since an end would be a lie", () => {
  const world = worldOf(true, 1, 65_536);
  world.decode[0]!.script = closesAfter(text("a"));
  expect(ask(world, "/v1/completions", "1.0").ended).toBe("rst");
  world.expectNothingLeft();
});

test("JSON that breaks off does not end as a whole one does, where no other engine is left", () => {
  const whole = JSON.stringify({ choices: [{ text: 'a "}]} \\' }], usage: {} });
  for (let bytes = 1; bytes <= whole.length; bytes += 1) {
    const world = worldOf(true, 1, 65_536);
    world.decode[0]!.script = (_, { send, socket }) => {
      send(`HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n${whole.slice(0, bytes)}`);
      socket.end();
    };
    const client = ask(world, "/v1/completions");
    expect(client.answers.some(({ status }) => status === 200)).toBe(bytes === whole.length);
    world.expectNothingLeft();
  }
});

test("one that ends before its first byte is tried elsewhere", () => {
  const world = worldOf(true, 2, 65_536);
  const [dead, live] = world.decode as [Engine, Engine];
  dead.script = closesAfter("");
  live.script = closesAfter(streams["/v1/completions"].join(""));
  for (let i = 0; i < 2; i += 1)
    expect(ask(world, "/v1/completions").answers[0]!.body.toString()).toContain("[DONE]");
  live.script = dead.script;
  expect(codeOf(ask(world, "/v1/completions").answers[0]!)).toBe("GP_DECODE_FAILED");
  world.expectNothingLeft();
});

test("what no endpoint is known of ends as in nginx", () => {
  const world = worldOf(false, 1, 65_536);
  world.decode[0]!.script = closesAfter(text("a"));
  expect(ask(world, "/v1/completions").answers[0]!.body.toString()).toBe(text("a"));
  world.expectNothingLeft();
});
