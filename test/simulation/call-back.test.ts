/**
 * Decode is sent first and calls the proxy back for its prefill. Whoever does not know the URL gets nowhere, a call
 * that is repeated makes no second prefill, and a decode whose prefill has failed, for which it would wait for ever, is
 * ended.
 */
import { describe, expect, test } from "vitest";
import { callbackBytesMax } from "../../src/limits.ts";
import { Client, codeOf } from "./client.ts";
import { decodes, type EngineConnection, response, type Script } from "./engine.ts";
import { type Message, onlyField } from "./http-reader.ts";
import { rightResponse } from "./prompts.ts";
import { World, type WorldOptions } from "./world.ts";

const json = { prompt: "call me", stream: false };
const stream = { prompt: "call me", stream: true };

interface Params {
  readonly metaserver?: string;
  readonly request_id?: string;
  readonly batch_kv_transfer_params?: Readonly<Record<string, unknown>>;
}

const paramsOf = ({ body }: Message) =>
  (JSON.parse(body.toString()) as { kv_transfer_params: Params }).kv_transfer_params;
const pathOf = (request: Message) => new URL(paramsOf(request).metaserver!).pathname;
const idOf = (request: Message) => `cmpl-${onlyField(request, "x-request-id")!}-0`;
const big = '"remote_block_ids":[[18446744073709551615]]';
const callBody = (id: string) => `{"request_id":${JSON.stringify(id)},${big}}`;

function post(path: string, body: string, lines = ""): string {
  return `POST ${path} HTTP/1.1\r\nHost: proxy\r\nContent-Length: ${Buffer.byteLength(body)}\r\n${lines}\r\n${body}`;
}

class CalledWorld extends World {
  readonly callers: Client[] = [];
  /** Decodes that wait for their KV, by the id that they called with. */
  readonly waiting = new Map<string, () => void>();
  readonly calls: Message[] = [];

  constructor(options: WorldOptions = {}) {
    super({ ...options, route: { dialect: "vllm-ascend-layerwise", ...options.route } });
    for (const engine of this.engines) engine.checksTransfer = false;
    for (const engine of this.prefill) engine.script = this.pushes;
    for (const engine of this.decode) engine.script = this.callsBack;
  }

  /** A connection that calls as soon as it is up. */
  call(text: string): Client {
    const caller = new Client();
    caller.connected = () => caller.send(text);
    caller.socket = this.network.connect({ host: "proxy", port: 81 }, caller);
    this.callers.push(caller);
    // So that it is closed with the others.
    this.clients.push(caller);
    return caller;
  }

  get callStatuses(): (number | undefined)[] {
    return this.callers.map(({ answers }) => answers[0]?.status);
  }

  readonly callsBack: Script = (request, connection) => {
    const id = idOf(request);
    this.calls.push(request);
    this.waiting.set(id, () => decodes(request, connection));
    this.call(post(pathOf(request), callBody(id)));
  };

  /** Writes the KV cache to where the call said. */
  readonly pushes: Script = (request, { send, after }) => {
    after(5, () => {
      this.waiting.get(paramsOf(request).request_id!)?.();
      send(response('{"choices":[]}'));
    });
  };

  get prefills(): Message[] {
    return this.prefill.flatMap(({ requests }) => requests);
  }

  expectNothingOpen(): void {
    expect(this.worker.callbacks.size, "open call-backs").toBe(0);
    this.expectNothingLeft();
  }
}

test.each([
  [json, 65_536],
  [json, 1],
  [stream, 65_536],
  [stream, 7],
])("decode is first, its call makes the prefill: %o, in pieces of up to %i bytes", (ask, bytes) => {
  const world = new CalledWorld({ decode: 1, readBytes: [1, bytes] });
  const { status, body } = world.responseTo(world.ask(ask));
  expect({ status, body: body.toString() }).toEqual({ status: 200, body: rightResponse(ask) });
  const [prefill] = world.prefills;
  const id = idOf(world.calls[0]!);
  // All that decode said, and nothing through a double.
  expect(prefill!.body.toString()).toContain(`"kv_transfer_params":${callBody(id)}`);
  const { max_tokens, min_tokens, stream: streams = false } = JSON.parse(prefill!.body.toString());
  expect([max_tokens, min_tokens, streams]).toEqual([1, 1, false]);
  expect(onlyField(prefill!, "x-request-id")).toBe(onlyField(world.calls[0]!, "x-request-id"));
  world.runFor(50);
  expect(world.callStatuses).toEqual([200]);
  expect(world.callers[0]!.answers[0]!.body.toString()).toBe('{"status":"ok"}');
  expect(world.prefills).toHaveLength(1);
  world.expectNothingOpen();
});

test("two requests with one id of the client's are two to the engines, and both see their own", () => {
  const world = new CalledWorld({ decode: 1 });
  const clients = [world.ask(json), world.ask(json)];
  for (const client of clients) world.responseTo(client);
  const ids = world.calls.map((call) => onlyField(call, "x-request-id"));
  expect(new Set([...ids, "r-1"]).size).toBe(3);
  expect(new Set(world.calls.map(pathOf)).size).toBe(2);
  for (const { answers } of clients) {
    expect(answers[0]!.fields.get("x-request-id")).toEqual(["r-1"]);
  }
});

test("a call that is repeated, before and after the prefill, has one prefill and one response", () => {
  const world = new CalledWorld({ decode: 1 });
  world.decode[0]!.script = (request, connection) => {
    const text = post(pathOf(request), callBody(idOf(request)));
    world.callsBack(request, connection);
    world.call(text);
    // The first connection of an engine may break before its response.
    const broken = world.call(text);
    connection.after(3, () => broken.socket.destroy());
    connection.after(15, () => world.call(text));
  };
  const client = world.ask({ ...stream, events: 10 });
  world.runFor(60);
  expect(world.callStatuses).toEqual([200, 200, undefined, 200]);
  world.responseTo(client);
  expect(world.prefills).toHaveLength(1);
  world.expectNothingOpen();
});

test("one connection serves one call after the other, also those that are sent ahead", () => {
  const world = new CalledWorld({ decode: 1 });
  world.decode[0]!.script = (request, connection) => {
    world.waiting.set(idOf(request), () => decodes(request, connection));
    const text = post(pathOf(request), callBody(idOf(request)));
    const caller = world.call(text + text);
    connection.after(20, () => caller.send(text));
  };
  world.ask({ ...stream, events: 10 });
  world.runFor(60);
  expect(world.callers[0]!.answers.map(({ status }) => status)).toEqual([200, 200, 200]);
  world.runFor(200);
  world.expectNothingOpen();
});

describe("call-backs that were not asked for are rejected", () => {
  test.each([
    ["another path", "/callback/0123456789abcdef0123456789abcdef"],
    ["none", "/"],
  ])("%s: 404, before a body has come", (_, path) => {
    const world = new CalledWorld();
    const caller = world.call(
      `POST ${path} HTTP/1.1\r\nHost: proxy\r\nContent-Length: 99999999\r\n\r\n`,
    );
    world.responseTo(caller);
    expect(caller.answers[0]!.status).toBe(404);
    world.runFor(5);
    expect(caller.ended).toBe("fin");
    world.expectNothingOpen();
  });

  test("a round that is over: 404", () => {
    const world = new CalledWorld({ decode: 1 });
    world.responseTo(world.ask(json));
    const [request] = world.calls;
    const late = world.call(post(pathOf(request!), callBody(idOf(request!))));
    expect(world.responseTo(late).status).toBe(404);
    expect(world.prefills).toHaveLength(1);
    world.expectNothingOpen();
  });

  test("no POST: 404, and the request waits on for its call", () => {
    const world = new CalledWorld({ decode: 1 });
    world.decode[0]!.script = (request, connection) => {
      world.call(`GET ${pathOf(request)} HTTP/1.1\r\nHost: proxy\r\n\r\n`);
      connection.after(5, () => world.callsBack(request, connection));
    };
    expect(world.responseTo(world.ask(json)).status).toBe(200);
    expect(world.callStatuses[0]).toBe(404);
    world.expectNothingOpen();
  });

  test.each(["GARBAGE\r\n\r\n", "POST / HTTP/1.1\nHost: x\n\n", `GET /${"x".repeat(20_000)}`])(
    "what is no HTTP, or endless: closed (%#)",
    (text) => {
      const world = new CalledWorld();
      const caller = world.call(text);
      world.runUntil(() => caller.ended !== undefined, 1_000);
      expect(caller.answers).toEqual([]);
      world.expectNothingOpen();
    },
  );

  test("who says nothing is not waited for", () => {
    const world = new CalledWorld();
    const caller = world.call("POST /");
    world.runUntil(() => caller.ended !== undefined, 60_000);
    world.expectNothingOpen();
  });
});

test.each([
  ["another request's id", 400, (path: string) => post(path, callBody("cmpl-else-0"))],
  ["no id", 400, (path: string) => post(path, "{}")],
  ["no JSON", 400, (path: string) => post(path, "remote_host=1")],
  ["no length", 400, (path: string) => `POST ${path} HTTP/1.1\r\nHost: proxy\r\n\r\n`],
  ["too much", 413, (path: string) => post(path, " ".repeat(callbackBytesMax + 1))],
])("a call with %s ends decode, which would wait in vain: an error", (_, status, text) => {
  const world = new CalledWorld({ decode: 1 });
  let decode: EngineConnection | undefined;
  world.decode[0]!.script = (request, connection) => {
    decode = connection;
    world.call(text(pathOf(request)));
  };
  const refused = world.responseTo(world.ask(stream));
  expect([refused.status, codeOf(refused)]).toEqual([502, "GP_DECODE_INVALID"]);
  world.runFor(20);
  expect(world.callStatuses).toEqual([status]);
  expect(decode!.socket.closed).toBe(true);
  expect(world.prefills).toEqual([]);
  world.expectNothingOpen();
});

describe("a prefill that fails", () => {
  test("is made anew for another round, in which nothing is as before", () => {
    const world = new CalledWorld();
    world.prefill[0]!.script = (_, { socket }) => socket.reset();
    expect(world.responseTo(world.ask(stream)).body.toString()).toBe(rightResponse(stream));
    world.runFor(20);
    expect(world.callStatuses).toEqual([502, 200]);
    const [first, second] = world.calls;
    expect(pathOf(second!)).not.toBe(pathOf(first!));
    expect(idOf(second!)).not.toBe(idOf(first!));
    world.expectNothingOpen();
  });

  test.each([
    ["400 Bad Request", 400],
    ["503 Service Unavailable", 503],
  ])(
    "with %s: that is the client's response, the call gets 502, and decode is ended",
    (line, status) => {
      const world = new CalledWorld({ prefill: 1, decode: 1 });
      let decode: EngineConnection | undefined;
      for (const engine of world.prefill) {
        engine.script = (_, { send }) => send(response('{"error":{"code":1}}', line));
      }
      world.decode[0]!.script = (request, connection) => {
        decode = connection;
        world.callsBack(request, connection);
      };
      expect(world.responseTo(world.ask(stream)).status).toBe(status);
      world.runFor(20);
      expect(world.callStatuses).toEqual([502]);
      expect(decode!.socket.closed).toBe(true);
      world.expectNothingOpen();
    },
  );

  test("where there is no engine for it: an error, or decode computes the prompt where the route says so", () => {
    const strict = new CalledWorld({ decode: 1 });
    const lenient = new CalledWorld({ decode: 1, route: { onPrefillFailure: "decode_only" } });
    for (const world of [strict, lenient]) {
      for (const engine of world.prefill) engine.connects("refused");
    }
    expect(strict.responseTo(strict.ask(stream)).status).toBe(502);
    lenient.decode[0]!.script = (request, connection) => {
      if (request.body.includes("metaserver")) lenient.callsBack(request, connection);
      else decodes(request, connection);
    };
    expect(lenient.responseTo(lenient.ask(stream)).body.toString()).toBe(rightResponse(stream));
    for (const world of [strict, lenient]) {
      world.runFor(20);
      expect(world.callStatuses.every((status) => status === 502)).toBe(true);
      world.expectNothingOpen();
    }
  });
});

test("a decode that never calls costs its read time-out, and one that has the prompt needs no call", () => {
  const silent = new CalledWorld({ decode: 1 });
  silent.decode[0]!.script = () => {};
  expect(silent.responseTo(silent.ask(stream)).status).toBe(504);
  silent.expectNothingOpen();
  const local = new CalledWorld({ decode: 1 });
  local.decode[0]!.script = decodes;
  expect(local.responseTo(local.ask(stream)).body.toString()).toBe(rightResponse(stream));
  expect(local.prefills).toEqual([]);
  local.expectNothingOpen();
});

test("of a list of prompts each calls, and one prefill has what all of them said", () => {
  const world = new CalledWorld({ decode: 1 });
  const prompts = ["a", "b", "c"];
  const body = JSON.stringify({ prompt: prompts, max_tokens: 3 });
  world.decode[0]!.script = (request, connection) => {
    const id = idOf(request).slice(0, -2);
    world.waiting.set(`${id}-0`, () => connection.send(response("{}")));
    for (const [delayMs, child] of [
      [0, 2],
      [5, 0],
      // What is repeated does not count as another.
      [6, 2],
      [30, 1],
    ] as const) {
      const text = post(pathOf(request), callBody(`${id}-${child}`));
      connection.after(delayMs, () => world.call(text));
    }
  };
  const client = world.client();
  client.send(post("/v1/completions", body));
  world.runFor(25);
  expect(world.prefills).toEqual([]);
  expect(world.callStatuses).toEqual([undefined, undefined, undefined]);
  expect(world.responseTo(client).status).toBe(200);
  world.runFor(20);
  expect(world.callStatuses).toEqual([200, 200, 200, 200]);
  expect(world.prefills).toHaveLength(1);
  const params = paramsOf(world.prefills[0]!);
  expect(params.request_id).toMatch(/-0$/);
  const children = Object.entries(params.batch_kv_transfer_params!) as [string, Params][];
  expect(children.map(([id, { request_id }]) => id === request_id)).toEqual([true, true, true]);
  expect(world.prefills[0]!.body.toString().split(big)).toHaveLength(5);
  world.expectNothingOpen();
});

test("a client that leaves, whenever it does, leaves nothing behind, and every call has its response", () => {
  for (let ms = 0; ms < 60; ms += 1) {
    const world = new CalledWorld({ seed: ms });
    const client = world.ask(stream);
    world.runFor(ms);
    client.socket.destroy();
    world.runFor(30);
    for (const { answers, ended } of world.callers) {
      expect(answers.length === 1 || ended !== undefined, `left after ${ms} ms`).toBe(true);
    }
    world.expectNothingOpen();
  }
});

test("requests in flight are called back while the proxy drains", () => {
  const world = new CalledWorld({ decode: 1 });
  const client = world.ask(stream);
  world.runUntil(() => world.calls.length === 1, 100);
  void world.worker.drain(0);
  expect(world.responseTo(client).body.toString()).toBe(rightResponse(stream));
});

test.each([
  ["127.0.0.1", "127.0.0.1"],
  ["localhost", "127.0.0.1"],
  ["::1", "127.0.0.1"],
  ["", "127.0.0.1"],
  ["10.0.0.2", "10.0.0.9"],
  ["decode.example", "10.0.0.9"],
])("an engine at %j is told to call %s", (engine, host) => {
  const { callbacks } = new World().worker;
  callbacks.listensAt({ host: undefined, externalHost: "10.0.0.9", port: 7 });
  expect(callbacks.url("/callback/x", engine).url).toBe(`http://${host}:7/callback/x`);
  callbacks.listensAt({ host: "fd00::1", externalHost: "10.0.0.9", port: 7 });
  expect(callbacks.url("/callback/x", engine).url).toBe("http://[fd00::1]:7/callback/x");
});
