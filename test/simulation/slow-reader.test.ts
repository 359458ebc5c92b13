/** A client that reads slowly, or not at all, holds back its own engine and nothing else, within bounds. */
import { expect, test } from "vitest";
import { relayPendingBytesMax } from "../../src/limits.ts";
import { Client, completion } from "./client.ts";
import {
  bodyOf,
  chunk,
  chunkedHead,
  decodes,
  type EngineConnection,
  response,
  type Script,
} from "./engine.ts";
import { rightResponse } from "./prompts.ts";
import { timeouts, World } from "./world.ts";

const kernelBytes = 131_072;
const eventBytes = 16_384;

/** Streams so many bytes as fast as the connection takes them, to those who ask for it by name. */
function floods(bytes: number): Script {
  return (request, connection) => {
    if (bodyOf(request).prompt !== "flood") {
      decodes(request, connection);
      return;
    }
    connection.send(chunkedHead);
    let left = bytes;
    const more = () => {
      while (left > 0 && connection.socket.pendingBytes === 0 && !connection.socket.closed) {
        left -= eventBytes;
        connection.send(chunk("data: ".padEnd(eventBytes, "z")));
      }
      if (left > 0) connection.after(5, more);
      else connection.send("0\r\n\r\n");
    };
    more();
  };
}

/** Reads so much at a time, so often. */
class SlowClient extends Client {
  constructor(world: World, bytesAtOnce: number, everyMs: number) {
    super();
    let budget = 0;
    const onData = this.onData.bind(this);
    this.onData = (bytes) => {
      onData(bytes);
      budget -= bytes.length;
      if (budget <= 0) this.socket.pause();
    };
    const read = () => {
      if (this.socket.closed) return;
      budget = bytesAtOnce;
      this.socket.resume();
      world.network.after(everyMs, read);
    };
    this.connected = () => {
      this.socket.pause();
      world.network.after(everyMs, read);
    };
  }
}

function neverReads(world: World): Client {
  const client = world.client();
  client.connected = () => client.socket.pause();
  return client;
}

const flood = completion({ prompt: "flood", stream: true });

test("a client that never reads stops the reading of its own engine; others go on", () => {
  const world = new World({ kernelBytes });
  for (const engine of world.decode) engine.script = floods(50_000_000);
  const stuck = neverReads(world);
  stuck.send(flood);
  world.runFor(1_000);
  const pending = () => stuck.socket.peer!.pendingBytes;
  const engine: EngineConnection = world.decode[0]!.connections[0]!;
  expect(pending()).toBeGreaterThan(relayPendingBytesMax);
  expect(pending()).toBeLessThanOrEqual(relayPendingBytesMax + kernelBytes);
  expect(engine.socket.peer!.bytesRead).toBeLessThan(
    relayPendingBytesMax + 2 * kernelBytes + 65_536,
  );
  for (let i = 0; i < 10; i += 1) {
    const ask = { prompt: `other ${i}`, stream: i % 2 === 0 };
    expect(world.responseTo(world.ask(ask), 100).body.toString()).toBe(rightResponse(ask));
  }
  world.expectNothingLeft();
});

test("a stalled client is ended after its time-out, and not before", () => {
  const world = new World({ kernelBytes });
  for (const engine of world.decode) engine.script = floods(50_000_000);
  const stuck = neverReads(world);
  stuck.send(flood);
  world.runFor(timeouts.clientSendTimeoutMs - 200);
  expect(world.inFlight).toBe(1);
  world.runFor(2 * timeouts.clientSendTimeoutMs);
  expect(world.inFlight).toBe(0);
  expect(world.lines).toEqual(["200 GP_CLIENT_STALLED prefill1:9000 > decode1:9000"]);
  world.expectNothingLeft();
});

test("a client that reads slowly is not ended, however long it takes", () => {
  const total = 1_500_000;
  const world = new World({ kernelBytes, readBytes: [1_024, 4_096] });
  for (const engine of world.decode) engine.script = floods(total);
  // 10 KB a second: what waits for it takes far longer than its time-out.
  const slow = new SlowClient(world, 5_000, 500);
  world.client(slow);
  slow.send(flood);
  world.runUntil(() => slow.answers.length === 1 || slow.ended !== undefined, 600_000);
  expect(slow.ended).toBeUndefined();
  expect(slow.answers[0]!.body.length).toBeGreaterThanOrEqual(total);
  world.expectNothingLeft();
});

test.each([
  ["keep-alive", ""],
  ["close", "Connection: close\r\n"],
])("the end of a large answer reaches a slow client (%s)", (_, lines) => {
  const world = new World({ kernelBytes: 16_384, readBytes: [1_024, 2_048] });
  const body = "b".repeat(250_000);
  for (const engine of world.decode) engine.script = (_request, { send }) => send(response(body));
  // The engine is done at once; what is left waits in the proxy for much longer than it lingers or idles.
  const slow = new SlowClient(world, 4_000, 400);
  world.client(slow);
  slow.send(completion({ prompt: "p", stream: false }, lines));
  world.runUntil(() => slow.answers.length === 1 || slow.ended !== undefined, 120_000);
  expect(slow.answers[0]?.body.length).toBe(body.length);
  world.expectNothingLeft();
});

test.each([
  ["keep-alive", ""],
  ["close", "Connection: close\r\n"],
])(
  "a client that ends its side while the end of its response waits for it gets that end (%s)",
  (_, lines) => {
    const world = new World({ kernelBytes: 16_384 });
    const body = "b".repeat(250_000);
    for (const engine of world.decode) engine.script = (_request, { send }) => send(response(body));
    const client = neverReads(world);
    client.send(completion({ prompt: "p", stream: false }, lines));
    world.runFor(100);
    client.socket.end();
    world.runFor(100);
    client.socket.resume();
    world.runUntil(() => client.ended !== undefined, 1_000);
    expect(client.answers[0]?.body.length).toBe(body.length);
    world.expectNothingLeft();
  },
);

test("an engine whose reading a client stopped at the very end serves the next request", () => {
  const world = new World({ decode: 1, kernelBytes: 600_000, readBytes: [600_000, 600_000] });
  const events = Array.from({ length: 30 }, () => chunk("data: ".padEnd(eventBytes, "z"))).join("");
  world.decode[0]!.script = (_, { send }) => send(`${chunkedHead}${events}0\r\n\r\n`);
  const stuck = world.client();
  stuck.connected = () => {
    stuck.socket.pause();
    // Nothing more of the response fits in between.
    stuck.socket.peer!.write(Buffer.from("HTTP/1.1 100 Continue\r\n\r\n".repeat(24_000)));
  };
  stuck.send(flood);
  world.runFor(100);
  expect(world.decode[0]!.openConnections).toBe(1);
  world.decode[0]!.script = decodes;
  const ask = { prompt: "next", stream: true };
  expect(world.responseTo(world.ask(ask), 200).body.toString()).toBe(rightResponse(ask));
  expect(world.decode[0]!.connections).toHaveLength(1);
  world.expectNothingLeft();
});

test("an old client that stalls cannot take what it has for all", () => {
  const world = new World({ kernelBytes: 16_384 });
  for (const engine of world.decode) engine.script = floods(100_000);
  const stuck = neverReads(world);
  stuck.send(completion({ prompt: "flood", stream: true }, "", "1.0"));
  world.runFor(20_000);
  expect(world.worker.clientCount).toBe(0);
  stuck.socket.resume();
  world.runFor(100);
  expect(stuck.answers).toEqual([]);
  expect(stuck.ended).toBe("rst");
  world.expectNothingLeft();
});

test.each([
  ["keep-alive", ""],
  ["close", "Connection: close\r\n"],
])(
  "a client has its whole time for the end of a response, and no more than that (%s)",
  (_, lines) => {
    for (const [pauseMs, isServed] of [
      [8_000, true],
      [25_000, false],
    ] as const) {
      const world = new World({
        kernelBytes: 16_384,
        route: { clientSendTimeoutMs: 10_000 },
        server: { keepAliveTimeoutMs: 0 },
      });
      for (const engine of world.decode) engine.script = floods(100_000);
      const client = neverReads(world);
      client.send(completion({ prompt: "flood", stream: true }, lines));
      world.runFor(pauseMs);
      client.socket.resume();
      world.runFor(100);
      expect(client.answers.length).toBe(isServed ? 1 : 0);
      world.expectNothingLeft();
    }
  },
);

test("a client that stalls at the very end of its response is ended too", () => {
  const world = new World({ kernelBytes: 16_384 });
  for (const engine of world.decode)
    engine.script = (_request, { send }) => send(response("b".repeat(250_000)));
  const stuck = neverReads(world);
  stuck.send(completion({ prompt: "p", stream: false }));
  world.runFor(8_000);
  expect(world.worker.clientCount).toBe(0);
  expect(world.lines).toHaveLength(1);
  world.expectNothingLeft();
});
