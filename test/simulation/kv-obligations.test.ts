/** A KV cache that a prefill engine keeps for a decode which does not come stays until its lease ends. */
import { describe, expect, test } from "vitest";
import { kvDrainTimeoutMs } from "../../src/limits.ts";
import { type KvEnd, kvEnds } from "../../src/scoreboard/kv-counts.ts";
import type { Client } from "./client.ts";
import { bodyOf, chunk, chunkedHead, response, type Script } from "./engine.ts";
import { endedOf } from "./kv-audit.ts";
import { World } from "./world.ts";

const ask = { prompt: "held for nobody", stream: true };

test("a client that leaves while decode is being connected to does not leave its KV cache behind", () => {
  const world = new World({ latencyMs: [20, 20] });
  const client = world.ask(ask);
  world.runUntil(() => world.kv.held.size === 1, 1_000);
  // The prefill's answer is on its way, then decode is connected to.
  world.runFor(25);
  expect(world.decode.flatMap(({ requests }) => requests)).toEqual([]);
  client.socket.destroy();
  world.runFor(25);
  expect(world.inFlight).toBe(0);
  world.runFor(100);
  expect(world.lines).toEqual(["499 GP_CLIENT_GONE prefill1:9000 > decode1:9000"]);
  expect(world.decode.flatMap(({ requests }) => requests)).toHaveLength(1);
  expect(world.kv.held.size).toBe(0);
  // The engine has been told by the end of its connection that nobody reads.
  expect(world.decode.map(({ openConnections }) => openConnections)).toEqual([0, 0]);
  world.expectNothingLeft();
});

test("such a connection that never comes up is given up when its time is over", () => {
  const world = new World();
  for (const engine of world.decode) engine.connects("silence");
  const client = world.ask(ask);
  world.runFor(50);
  client.socket.destroy();
  world.runFor(5_000);
  world.expectNothingLeft();
});

test("a request that no decode engine has a place for begins no prefill", () => {
  const world = new World({ decode: 1, engine: { maxConns: 1 } });
  world.ask(ask);
  world.runFor(15);
  const second = world.ask(ask);
  expect(world.responseTo(second).status).toBe(503);
  expect(world.lines[0]).toBe("503 GP_DECODE_FULL - > -");
  expect(world.prefill.flatMap(({ requests }) => requests)).toHaveLength(1);
  world.runFor(2_000);
  expect(world.kv.held.size).toBe(0);
  world.expectNothingLeft();
});

/** What has become of the obligations, of all prefill engines. */
function ends(world: World): Partial<Record<KvEnd, number>> {
  const found: Partial<Record<KvEnd, number>> = {};
  for (const end of kvEnds) {
    const count = endedOf(world.board, world.slots, end);
    if (count > 0) found[end] = count;
  }
  return found;
}

const ways = {
  "closing its side": (client: Client) => client.socket.end(),
  closing: (client: Client) => client.socket.destroy(),
  "a reset": (client: Client) => client.socket.reset(),
} as const;

test.each(Object.entries(ways))(
  "a prefill whose answer is on the wire when its client leaves by %s is read, and its KV freed",
  (_, leave) => {
    const rehearsal = new World({ latencyMs: [20, 20] });
    rehearsal.ask(ask);
    rehearsal.runUntil(() => rehearsal.kv.held.size === 1, 1_000);
    const world = new World({ latencyMs: [20, 20] });
    const client = world.ask(ask);
    // The news arrives at the proxy after the engine has answered, and before the answer does.
    world.runFor(rehearsal.network.nowMs() - 10);
    leave(client);
    world.runFor(200);
    expect(world.kv.held.size).toBe(0);
    expect(world.lines).toEqual(["499 GP_CLIENT_GONE prefill1:9000 > -"]);
    expect(world.decode.flatMap(({ releases }) => releases)).toHaveLength(1);
    world.expectNothingLeft();
    expect(ends(world)).toEqual({ released_by_request: 1 });
  },
);

test("an answer of which only the beginning comes is not waited for without end, and counts as a leak", () => {
  const world = new World();
  world.prefill[0]!.script = (request, { engine, send }) => {
    const kv = engine.kv.put(engine.address, bodyOf(request).prompt);
    send(response(JSON.stringify({ kv_transfer_params: { kv } })).subarray(0, -1));
  };
  const client = world.ask(ask);
  world.runUntil(() => world.kv.held.size === 1, 1_000);
  world.runFor(10);
  // The network goes silent: not even the end of our side is heard.
  world.prefill[0]!.connections[0]!.socket.cut("silence");
  client.socket.destroy();
  world.runFor(1_000);
  expect(ends(world)).toEqual({});
  world.runFor(kvDrainTimeoutMs);
  expect(ends(world)).toEqual({ leaked: 1 });
  world.expectNothingLeft();
});

describe.each(["prefillTimeoutMs", "readTimeoutMs"] as const)("a prefill past its %s", (name) => {
  // The rest of its response is sent before, at and after the time at which the proxy gives it up.
  const delays = Array.from({ length: 60 }, (_, i) => 10 * i);

  test("is read as far as it was sent, and its KV freed", () => {
    const all: Partial<Record<KvEnd, number>>[] = [];
    for (const delayMs of delays) {
      const world = new World({ latencyMs: [40, 40], route: { [name]: 200 } });
      world.prefill[0]!.script = (request, { engine, send, after, socket }) => {
        const size = JSON.stringify({ kv_transfer_params: { kv: `${engine.address}#1` } }).length;
        const start = '{"kv_transfer_params":';
        send(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n${start}`);
        after(delayMs, () => {
          if (socket.closed) return;
          const kv = engine.kv.put(engine.address, bodyOf(request).prompt);
          send(JSON.stringify({ kv_transfer_params: { kv } }).slice(start.length));
        });
      };
      const client = world.ask(ask);
      expect(world.responseTo(client).status).toBe(200);
      client.socket.destroy();
      world.runFor(500);
      expect(world.kv.held.size, `rest after ${delayMs} ms`).toBe(0);
      world.expectNothingLeft();
      all.push(ends(world));
    }
    expect(all).toContainEqual({ taken: 1 });
    expect(all).toContainEqual({ taken: 1, released_by_request: 1 });
  });
});

test("a prefill that is silent past its time counts as cancelled, once its engine has heard it", () => {
  const world = new World({ route: { prefillTimeoutMs: 200 } });
  world.prefill[0]!.script = () => {};
  expect(world.responseTo(world.ask(ask)).status).toBe(200);
  world.runFor(50);
  expect(ends(world)).toEqual({ taken: 1, released_by_prefill: 1 });
  expect(world.prefill[0]!.openConnections).toBe(0);
  world.expectNothingLeft();
});

test("what decode rejects is freed, by a request that it accepts", () => {
  const world = new World({ decode: 1 });
  world.decode[0]!.script = (_, { send }) => send(response("{}", "400 Bad Request"));
  const client = world.ask(ask);
  expect(world.responseTo(client).status).toBe(400);
  world.kv.held.set("prefill1:9000#1", ask.prompt);
  world.runFor(50);
  expect(world.kv.held.size).toBe(0);
  expect(ends(world)).toEqual({ released_by_request: 1 });
  world.expectNothingLeft();
});

const errorEvent = (status: number) => `data: {"error":{"message":"no","code":${status}}}\n\n`;
const streamOf = (...chunks: readonly string[]): string =>
  `${chunkedHead}${chunks.map(chunk).join("")}0\r\n\r\n`;

/** Behind a status of 200, and nothing of the KV cache was fetched. */
const junk: Record<string, string | Buffer> = {
  "an error": response('{"error":{"message":"no"}}'),
  "an error as its first event": streamOf(errorEvent(500), "data: [DONE]\n\n"),
  "an error that comes in parts": streamOf('data: {"err', 'or":{"code":500}}\n\n'),
  "the client's error": streamOf(errorEvent(400), "data: [DONE]\n\n"),
  "a page": response("<html></html>"),
  nothing: response(""),
  "a stream without events": streamOf(),
  "a stream that is only its end": streamOf("data: [DONE]\n\n"),
};

describe.each([1, 2])("with %i decode engines", (decode) => {
  test.each(Object.entries(junk))(
    "what decode says with 200 is no KV cache taken: %s",
    (_, what) => {
      const world = new World({ decode });
      world.kv.consumed = false;
      for (const engine of world.decode) engine.script = (_, { send }) => send(what);
      expect(world.responseTo(world.ask(ask)).status).toBe(200);
      world.runFor(50);
      expect(ends(world)).toEqual({ released_by_request: decode > 1 && isMended(what) ? 2 : 1 });
      expect(world.kv.held.size).toBe(0);
      world.expectNothingLeft();
    },
  );
});

/** Another engine is tried for it. */
function isMended(what: string | Buffer): boolean {
  return what !== junk["the client's error"];
}

test("a decode engine that drops the connection is asked to free the KV cache if there is no other", () => {
  const world = new World({ decode: 1 });
  world.kv.consumed = false;
  world.decode[0]!.script = (_, { socket }) => socket.cut("rst");
  expect(world.responseTo(world.ask(ask)).status).toBe(502);
  world.runFor(50);
  expect(ends(world)).toEqual({ released_by_request: 1 });
  expect(world.kv.held.size).toBe(0);
  world.expectNothingLeft();
});

test("a second prefill leaves nothing of the first behind", () => {
  const world = new World();
  world.kv.consumed = false;
  world.decode[0]!.script = (_, { socket }) => socket.destroy();
  const client = world.ask(ask);
  expect(world.responseTo(client).status).toBe(200);
  world.runFor(50);
  expect(world.prefill.flatMap(({ requests }) => requests)).toHaveLength(2);
  expect(ends(world)).toEqual({ released_by_request: 1, taken: 1 });
  world.expectNothingLeft();
});

test("each obligation ends as it should in an exchange that succeeds", () => {
  const world = new World();
  world.responseTo(world.ask(ask));
  expect(ends(world)).toEqual({ taken: 1 });
  const silent = world.ask(ask);
  for (const engine of world.decode) engine.script = () => {};
  world.runFor(50);
  silent.socket.destroy();
  world.runFor(10);
  expect(ends(world)).toEqual({ taken: 1, released_by_cancel: 1 });
  for (const engine of world.prefill) engine.script = () => {};
  const waiting = world.ask(ask);
  world.runFor(50);
  waiting.socket.destroy();
  world.runFor(10);
  expect(ends(world)).toEqual({ taken: 1, released_by_cancel: 1, released_by_prefill: 1 });
  world.expectNothingLeft();
});

test("what a worker that dies owed is counted as leaked", () => {
  const world = new World({ workers: 2 });
  for (const engine of world.decode) engine.script = () => {};
  world.ask(ask);
  world.runFor(50);
  const open = () => world.slots.reduce((sum, slot) => sum + world.board.kv.openOf(slot), 0);
  expect(open()).toBe(1);
  world.workers.kill(0);
  world.workers.kill(1);
  expect(open()).toBe(0);
  expect(ends(world)).toEqual({ leaked: 1 });
  world.expectNothingLeft();
});

const noTransfer: Script = (_, { send }) => send(response('{"choices":[]}'));

test.each([
  ["recompute", 200, 0],
  ["retry", 200, 1],
  ["error", 502, 0],
] as const)(
  "a transfer that did not happen is counted and said once: %s",
  (rule, status, taken) => {
    const world = new World({ route: { onMissingTransfer: rule } });
    for (const engine of world.decode) engine.checksTransfer = false;
    world.prefill[0]!.script = noTransfer;
    if (rule !== "retry") world.prefill[1]!.script = noTransfer;
    expect(world.responseTo(world.ask(ask)).status).toBe(status);
    world.responseTo(world.ask(ask));
    const missing = world.slots.reduce((sum, slot) => sum + world.board.kv.missingOf(slot), 0);
    expect(missing).toBeGreaterThanOrEqual(1);
    expect(ends(world).empty).toBe(missing);
    expect(ends(world).taken ?? 0).toBeGreaterThanOrEqual(taken);
    const lines = world.workers.logLines.filter((line) =>
      line.includes("gave no kv_transfer_params"),
    );
    expect(new Set(lines).size).toBe(lines.length);
    expect(lines[0]).toContain("is the dialect (--dialect) right?");
    world.expectNothingLeft();
  },
);
