/**
 * How engines go wrong: at one request, or for a while at all of them. None of it makes a wrong response that looks
 * whole.
 */
import type { Cut } from "../../../src/transport/memory-socket.ts";
import { chunk, type EngineConnection, response, type Script } from "../engine.ts";
import type { World } from "../world.ts";
import type { Chance } from "./chance.ts";

/** @param whole what the engine does if nothing is wrong */
type Misbehaviour = (chance: Chance, whole: Script) => Script;

const cuts: readonly Cut[] = ["fin", "rst", "silence"];

/** An event of an engine whose core has died, which is the end of the stream. */
export const serverError: string =
  'data: {"error":{"message":"EngineCore died","code":500}}\n\ndata: [DONE]\n\n';

const cutsAtOnce: Misbehaviour =
  (chance) =>
  (_, { socket }) =>
    socket.cut(chance.of(cuts));

const resets: Misbehaviour =
  () =>
  (_, { socket }) =>
    socket.cut("rst");

/** Accepts the request and never says anything. */
const hangs: Misbehaviour = () => () => {};

const diesMidway: Misbehaviour = (chance, whole) => (request, connection) => {
  whole(request, connection);
  const how = chance.of(cuts);
  connection.after(chance.below(80), () => connection.socket.cut(how));
};

const isLate: Misbehaviour = (chance, whole) => (request, connection) =>
  connection.after(chance.below(1_500), () => whole(request, connection));

const isCutMidHead: Misbehaviour =
  (chance) =>
  (_, { send, after, socket }) => {
    send(response('{"half":true}').subarray(0, 20 + chance.below(60)));
    after(chance.below(50), () => socket.cut(chance.of(cuts)));
  };

const statuses = [
  "500 Internal Server Error",
  "502 Bad Gateway",
  "503 Service Unavailable",
  "504 Gateway Timeout",
  "429 Too Many Requests",
] as const;

function fails(status: string, lines = ""): Script {
  return (_, { send }) => send(response('{"error":{"message":"busy"}}', status, lines));
}

const failsWithStatus: Misbehaviour = (chance) =>
  fails(chance.of(statuses), chance.happens(0.3) ? `Retry-After: ${chance.below(3)}\r\n` : "");

const garbageHeads = [
  "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
  "HTTP/1.1 2000 OK\r\n\r\n",
  "NONSENSE\r\n\r\n",
  "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
  "\0\0\0\0",
];

const saysGarbage: Misbehaviour =
  (chance) =>
  (_, { send }) =>
    send(chance.of(garbageHeads));

/** Does something else in the middle of a stream, and sends no more. @param instead gets what ends a chunked body */
function interrupted(
  whole: Script,
  events: number,
  instead: (connection: EngineConnection, isChunked: boolean) => void,
): Script {
  return (request, connection) => {
    let sent = -1;
    let isChunked = false;
    const send = (text: string | Buffer): void => {
      if (sent < 0) isChunked = text.includes("chunked");
      const isStream = isChunked || (sent < 0 && !text.includes("Content-Length"));
      if (sent === events) instead(connection, isChunked);
      else if (sent < events) connection.send(text);
      // A response in one piece is one event.
      sent += isStream || sent >= 0 ? 1 : 2 + events;
    };
    whole(request, { ...connection, send });
  };
}

const breaksItsChunks: Misbehaviour = (chance, whole) =>
  interrupted(whole, chance.below(3), ({ send, socket }, isChunked) => {
    if (isChunked) send("zz\r\n");
    else socket.cut("rst");
  });

const reportsItsDeath: Misbehaviour = (chance, whole) =>
  interrupted(whole, chance.below(4), ({ send, socket }, isChunked) => {
    send(isChunked ? `${chunk(serverError)}0\r\n\r\n` : serverError);
    if (!isChunked) socket.end();
  });

const sendsInterimHead: Misbehaviour = (_, whole) => (request, connection) => {
  connection.send("HTTP/1.1 102 Processing\r\n\r\n");
  whole(request, connection);
};

const junk = [
  '{"error":{"message":"no"}}',
  "<html>busy</html>",
  '{"choices":[],"kv_transf',
  "",
  '{"choices":[{}],"kv_transfer_params":"none"}',
].map((body) => response(body));
const junkEvents = response(
  'data: {"choices":[]}\n\ndata: [DONE]\n\n',
  "200 OK",
  "X-Type: stream\r\n",
);

const saysJunk: Misbehaviour =
  (chance) =>
  (_, { send }) =>
    send(chance.of([...junk, junkEvents]));

/** Responds as if there were no KV transfer. */
const namesNoTransfer: Misbehaviour = (_, whole) => (request, connection) =>
  whole(request, {
    ...connection,
    send: (text) => {
      const [, body = ""] = text.toString().split("\r\n\r\n", 2);
      connection.send(response(body.replace(/,"kv_transfer_params":\{.*?\}/, "")));
    },
  });

/** What can befall one request. */
const mishaps: readonly Misbehaviour[] = [
  cutsAtOnce,
  diesMidway,
  diesMidway,
  hangs,
  isLate,
  isCutMidHead,
  failsWithStatus,
  saysGarbage,
  breaksItsChunks,
  sendsInterimHead,
];

/** What befalls all requests of an engine for a while. */
const states: readonly Misbehaviour[] = [
  resets,
  hangs,
  isCutMidHead,
  saysGarbage,
  ...statuses.map((status) => () => fails(status)),
  (_, whole) => (request, connection) => connection.after(800, () => whole(request, connection)),
];

/** Beside what can befall any engine. */
export interface OwnMishaps {
  readonly isPrefill: boolean;
  /** Its response should name the KV cache. */
  readonly namesKv: boolean;
}

/**
 * An engine at each of whose requests something may go wrong, and that may be in a bad state for a while.
 * @param rate the share of its requests
 */
export function unreliable(
  world: World,
  chance: Chance,
  rate: number,
  whole: Script,
  { isPrefill, namesKv }: OwnMishaps,
): Script {
  const own = isPrefill ? [saysJunk, ...(namesKv ? [namesNoTransfer] : [])] : [reportsItsDeath];
  const all = [...mishaps, ...own];
  const atTimes: Script = (request, connection) => {
    const script = chance.happens(rate) ? chance.of(all)(chance, whole) : whole;
    script(request, connection);
  };
  if (!chance.happens(0.3)) return atTimes;
  const fromMs = world.network.nowMs() + chance.below(1_500);
  const untilMs = fromMs + chance.of([200, 1_000, 30_000]);
  if (chance.happens(0.3)) return frozen(world, fromMs, untilMs, atTimes);
  const state = chance.of(states)(chance, whole);
  return (request, connection) => {
    const nowMs = world.network.nowMs();
    (nowMs >= fromMs && nowMs < untilMs ? state : atTimes)(request, connection);
  };
}

/** A process that is stopped for a while: it reads nothing and sends nothing, and then goes on where it was. */
function frozen(world: World, fromMs: number, untilMs: number, script: Script): Script {
  const { network } = world;
  const remainingMs = (): number => {
    const nowMs = network.nowMs();
    return nowMs >= fromMs && nowMs < untilMs ? untilMs - nowMs : 0;
  };
  const awake = (run: () => void): void => {
    const ms = remainingMs();
    if (ms === 0) run();
    else network.after(ms, run);
  };
  return (request, connection) => {
    const slow: EngineConnection = {
      ...connection,
      send: (text) => awake(() => connection.send(text)),
      after: (delayMs, run) => connection.after(delayMs, () => awake(run)),
    };
    awake(() => script(request, slow));
  };
}
