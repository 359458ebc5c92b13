/** A fleet in which one engine turns bad while clients ask: how it does, and how many get what is right in time. */
import { expect } from "vitest";
import { policies } from "../../src/policies/registry.ts";
import { variantsOf } from "../policies/variants.ts";
import type { Client } from "./client.ts";
import {
  chunk,
  chunkedHead,
  decodes,
  type Engine,
  prefills,
  response,
  type Script,
} from "./engine.ts";
import { rightResponse } from "./prompts.ts";
import { World, type WorldOptions } from "./world.ts";

const requestsPerClient = 4;
/** What a healthy engine takes to respond. */
export const usualMs = 100;

type PolicyName = (typeof policies)[number]["name"];

/** With what it cannot do without. */
function policyOf(name: PolicyName) {
  const [options] = variantsOf(policies.find((policy) => policy.name === name)!);
  return { ...options, name } as Extract<NonNullable<WorldOptions["pool"]>["policy"], object>;
}

/** What dialects have to know of engines, and what their prefills respond. */
const attributesOfAll = {
  engine_id: "e",
  bootstrap_port: "9001",
  notify_port: "9002",
  kv_port: "9003",
  tp_size: "1",
  dp_size: "1",
  ctx_info_endpoint: "tcp://prefill:9004",
};
export const namesKv = response(
  JSON.stringify({
    choices: [
      {
        text: "a",
        finish_reason: "not_finished",
        disaggregated_params: {
          request_type: "context_only",
          ctx_request_id: 1,
          disagg_request_id: 1,
          first_gen_tokens: [1],
          opaque_state: "o",
        },
      },
    ],
    usage: { prompt_tokens: 3 },
    kv_transfer_params: { remote_engine_id: "e", remote_block_ids: [1], transfer_id: "t" },
  }),
);

/** A prefill of any dialect. */
export const offers: Script = (_, { send }) => send(namesKv);

/** Turns the engine bad. @param whole what it would do if it were well */
export type Turns = (engine: Engine, whole: Script, world: World) => void;

const does =
  (script: Script): Turns =>
  (engine) => {
    engine.script = script;
  };
const says = (text: string | Buffer): Turns => does((_, { send }) => send(text));
const drips = (start: string): Turns =>
  does((_, { send, after, socket }) => {
    send(start);
    const more = (): void => {
      if (socket.closed) return;
      send("-");
      after(1_000, more);
    };
    more();
  });
const failsWith = (status: string): Turns => says(response('{"error":{}}', status));

export const ways: Readonly<Record<string, Turns>> = {
  "refuses connections": (engine) => {
    engine.connects("refused");
    for (const { socket } of engine.connections) socket.destroy();
  },
  "accepts no connections": (engine) => {
    engine.connects("silence");
    for (const { socket } of engine.connections) socket.destroy();
  },
  resets: does((_, { socket }) => socket.cut("rst")),
  "resets in its head": does((_, { send, after, socket }) => {
    send("HTTP/1.1 200 OK\r\nContent-Ty");
    after(5, () => socket.cut("rst"));
  }),
  "sends its head byte by byte": drips("HTTP/1.1 200 OK\r\nX: "),
  "sends its response byte by byte": drips(
    'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9999\r\n\r\n{"choices":[{"text":"',
  ),
  "sends an event byte by byte": drips(
    'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: {"choices":[{"text":"',
  ),
  "does not end its chunks": says(
    `${chunkedHead.replace("text/event-stream", "application/json")}${chunk('{"choices":[{"text":"a"}]}')}`,
  ),
  "says garbage": says("\0\0\0NONSENSE\r\n\r\n"),
  "responds with 500": failsWith("500 Internal Server Error"),
  "responds with 502": failsWith("502 Bad Gateway"),
  "responds with 503": failsWith("503 Service Unavailable"),
  "responds with 429": failsWith("429 Too Many Requests"),
  hangs: does(() => {}),
  "sends a head and nothing else": says(chunkedHead),
  "begins a response and hangs": says(
    'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"choices":',
  ),
  "is ten times slower": (engine, whole) => {
    engine.script = (request, connection) =>
      connection.after(9 * usualMs, () => whole(request, connection));
  },
  "is stopped for 30 s": (engine, whole, world) => {
    const endsMs = world.network.nowMs() + 30_000;
    engine.script = (request, connection) =>
      connection.after(Math.max(0, endsMs - world.network.nowMs()), () =>
        whole(request, connection),
      );
  },
  "refuses connections for 2 s, and again and again": (engine, _, world) => {
    const turn = (isBad: boolean): void => {
      engine.connects(isBad ? "refused" : undefined);
      if (isBad) for (const { socket } of engine.connections) socket.destroy();
      world.network.after(2_000, () => turn(!isBad));
    };
    turn(true);
  },
};

const events = (...parts: string[]): Turns =>
  says(`${chunkedHead}${parts.map(chunk).join("")}0\r\n\r\n`);

export const junk: Readonly<Record<string, Turns>> = {
  "an error": says(response('{"error":{"message":"no"}}')),
  HTML: says(response("<html>busy</html>")),
  "half of its JSON": says(response('{"choices":[],"kv_transf')),
  nothing: says(response("")),
  "a stream of nothing": events(": busy\n\n"),
};
/** What is junk of decode engines only: a prefill is no stream. */
export const junkStreams: Readonly<Record<string, Turns>> = {
  "a stream with half an event": events('data: {"te', "xt\n\n"),
  "a stream that is an error": events('data: {"error":{"code":500}}\n\n', "data: [DONE]\n\n"),
};

export function worldOf(
  engines: number,
  policy: PolicyName = "round_robin",
  route: WorldOptions["route"] = {},
): World {
  const world = new World({
    prefill: engines,
    decode: engines,
    pool: { policy: policyOf(policy) },
    route: { connectTimeoutMs: 1_000, readTimeoutMs: 60_000, ...route },
    engine: { attributes: attributesOfAll },
  });
  world.kv.consumed = false;
  for (const engine of world.prefill) engine.script = usually(prefills);
  for (const engine of world.decode) engine.script = usually(decodes);
  return world;
}

export const usually =
  (script: Script): Script =>
  (request, connection) =>
    connection.after(usualMs, () => script(request, connection));

/** Share of the requests that got the right response in time. */
export function rightShare(world: World, waitMs: number, turn: () => void, clients = 50): number {
  const { network } = world;
  let right = 0;
  let over = 0;
  let asked = 0;
  const next = (name: string, left: number): void => {
    if (left === 0) return;
    asked += 1;
    const ask = { prompt: `${name} ${left}`, stream: true };
    const sentMs = network.nowMs();
    const client: Client = world.ask(ask);
    const look = (): void => {
      const [answer] = client.answers;
      const isLate = network.nowMs() - sentMs >= waitMs;
      if (answer === undefined && client.ended === undefined && !isLate) {
        network.after(20, look);
        return;
      }
      over += 1;
      if (answer?.status === 200 && answer.body.toString() === rightResponse(ask)) right += 1;
      client.socket.destroy();
      next(name, left - 1);
    };
    network.after(20, look);
  };
  for (let i = 0; i < clients; i += 1) next(`c${i}`, requestsPerClient);
  network.after(300, turn);
  const total = clients * requestsPerClient;
  world.runUntil(() => over === total, 600_000);
  expect(asked).toBe(total);
  return right / total;
}
