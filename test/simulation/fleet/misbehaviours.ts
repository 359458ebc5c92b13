/**
 * How engines go wrong: at one request, or for a while at all of them. None of it makes a wrong response that looks
 * whole.
 */
import type { Cut } from "../../../src/transport/memory-socket.ts";
import {
  bodyOf,
  chunk,
  chunkedHead,
  type EngineConnection,
  response,
  type Script,
} from "../engine.ts";
import { jsonResponse, sseEvents } from "../prompts.ts";
import type { World } from "../world.ts";
import type { Chance } from "./chance.ts";

/** @param whole what the engine does if nothing is wrong */
type Misbehaviour = (chance: Chance, whole: Script) => Script;

const cuts: readonly Cut[] = ["fin", "rst", "silence"];

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
  const how = chance.of(["rst", "silence"] as const);
  connection.after(chance.below(60), () => connection.socket.cut(how));
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

/** Begins well, and then breaks the chunked framing. */
const breaksItsChunks: Misbehaviour =
  () =>
  (request, { send }) => {
    const { prompt, max_tokens, stream } = bodyOf(request);
    const whole = stream === true ? sseEvents(prompt, max_tokens)[0]! : jsonResponse(prompt);
    send(`${chunkedHead}${chunk(whole.slice(0, 12))}zz\r\n`);
  };

const sendsInterimHead: Misbehaviour = (_, whole) => (request, connection) => {
  connection.send("HTTP/1.1 102 Processing\r\n\r\n");
  whole(request, connection);
};

/** What can befall one request. */
const mishaps: readonly Misbehaviour[] = [
  cutsAtOnce,
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

/** An engine at each of whose requests something may go wrong, and that may be in a bad state for a while. */
export function unreliable(world: World, chance: Chance, rate: number, whole: Script): Script {
  const atTimes: Script = (request, connection) => {
    const script = chance.happens(rate) ? chance.of(mishaps)(chance, whole) : whole;
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
