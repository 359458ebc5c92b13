/**
 * One whole exchange, cut at every byte: of each of its three connections, in each direction, by FIN, by RST and by
 * silence. `bytesToCut` says which of them `npm test` takes. Whatever happens, the client gets the right response, a
 * typed error, or a stream that is visibly broken; in time; and nothing stays occupied.
 */
import { expect, test } from "vitest";
import type { Cut, MemorySocket } from "../../src/transport/memory-socket.ts";
import { isEverything } from "../support/runtimes.ts";
import { type Client, completion } from "./client.ts";
import {
  chunk,
  chunkedHead,
  decodes,
  decodesUntilClosed,
  type Engine,
  type Script,
} from "./engine.ts";
import { type Ask, rightResponse, sseEvents } from "./prompts.ts";
import {
  headerTimeoutMs,
  keepAliveTimeoutMs,
  timeouts,
  World,
  type WorldOptions,
} from "./world.ts";

type Where = "client" | "prefill" | "decode";
/** `to-proxy`: the proxy has read N bytes; `from-proxy`: its peer has. */
type Direction = "to-proxy" | "from-proxy";

interface Case {
  readonly where: Where;
  readonly direction: Direction;
  readonly how: Cut;
}

const kinds = ["fin", "rst", "silence"] as const;
const cases: readonly Case[] = (["client", "prefill", "decode"] as const).flatMap((where) =>
  (["to-proxy", "from-proxy"] as const).flatMap((direction) =>
    kinds.map((how) => ({ where, direction, how })),
  ),
);

const { connectTimeoutMs, readTimeoutMs, bodyTimeoutMs } = timeouts;
/** A response can be late by two tries of each leg, and a tick each. */
const latestMs = headerTimeoutMs + bodyTimeoutMs + 4 * (connectTimeoutMs + readTimeoutMs + 200);

function begin(ask: Ask, options: WorldOptions): { world: World; client: Client } {
  const world = new World(options);
  const client = world.client();
  client.send(completion(ask));
  return { world, client };
}

/** Calls with the first connection of a kind, seen from the far side of the proxy, as soon as it is up. */
function onFirstConnection(
  world: World,
  client: Client,
  where: Where,
  run: (far: MemorySocket) => void,
) {
  if (where === "client") {
    client.connected = () => run(client.socket);
    return;
  }
  let first = true;
  const engines: readonly Engine[] = world[where];
  for (const engine of engines) {
    engine.accepted = ({ socket }) => {
      if (first) run(socket);
      first = false;
    };
  }
}

/** Bytes that cross each connection in each direction when nothing is cut. */
function countBytes(ask: Ask): (one: Pick<Case, "where" | "direction">) => number {
  const { world, client } = begin(ask, {});
  const far: Partial<Record<Where, MemorySocket>> = {};
  for (const where of ["client", "prefill", "decode"] as const) {
    onFirstConnection(world, client, where, (socket) => {
      far[where] = socket;
    });
  }
  world.runUntil(() => client.answers.length === 1, latestMs);
  return ({ where, direction }) =>
    direction === "to-proxy" ? far[where]!.peer!.bytesRead : far[where]!.bytesRead;
}

/** Of a streamed response; until all of its first event has come, nothing of it goes to the client. */
function firstEventEnd({ prompt, events = 3 }: Ask): number {
  const [first] = sseEvents(prompt, events);
  return chunkedHead.length + chunk(first!).length - "\r\n".length;
}

interface Verdict {
  readonly kind: "right" | "error" | "broken" | "none";
  readonly status: number;
  readonly code: string;
}

function judge(client: Client, ask: Ask): Verdict {
  const [response, ...more] = client.answers;
  expect(more, "answers to one request").toEqual([]);
  if (response === undefined) {
    return { kind: client.midway ? "broken" : "none", status: 0, code: "" };
  }
  if (response.status === 200) {
    expect(response.body.toString(), "a complete answer").toBe(rightResponse(ask));
    return { kind: "right", status: 200, code: "GP_OK" };
  }
  const { error } = JSON.parse(response.body.toString()) as { error: { code: string } };
  expect(error.code).toMatch(/^GP_/);
  return { kind: "error", status: response.status, code: error.code };
}

/**
 * Each byte that the proxy reads: of an engine that has another one beside it at odd bytes, of one alone at even ones;
 * the other way round for the next kind of cut. The proxy does not see how far its peer has read: each fourth byte. Both
 * at each end. With `GLOBAL_PROXY_TESTS=all` every byte in every way.
 */
function bytesToCut({ where, direction, how }: Case, total: number, alone: boolean): number[] {
  const bytes = Array.from({ length: total + 1 }, (_, atByte) => atByte);
  const every = direction === "from-proxy" ? 4 : where === "client" ? 1 : 2;
  if (isEverything || every === 1) return bytes;
  const first = ((alone ? 1 : 0) + kinds.indexOf(how)) % every;
  return bytes.filter((at) => at % every === first || at <= 1 || at >= total - 1);
}

/** Cuts at one byte and returns what came of it. */
function cutOnce(ask: Ask, { where, direction, how }: Case, atByte: number, alone: boolean) {
  const { world, client } = begin(ask, alone ? { prefill: 1, decode: 1 } : {});
  let cutAtMs = -1;
  onFirstConnection(world, client, where, (far) => {
    const read = direction === "to-proxy" ? far.peer! : far;
    read.atBytesRead(atByte, () => {
      cutAtMs = world.network.nowMs();
      far.cut(how);
    });
  });
  // A client that is cut off itself sees nothing any more; for the others a response must come or the connection must
  // end.
  const over = () =>
    where === "client"
      ? cutAtMs >= 0 && world.lines.length > 0
      : client.answers.length > 0 || client.ended !== undefined;
  world.network.runUntil(latestMs + (where === "client" ? keepAliveTimeoutMs : 0), over);
  const verdict = where === "client" ? undefined : judge(client, ask);
  world.runFor(where === "client" ? keepAliveTimeoutMs + latestMs : 50);
  world.expectNothingLeft();
  return { world, verdict };
}

/**
 * What an exchange may come to whose engine is cut off. `afterHead`: bytes of a streamed response have gone to the
 * client.
 */
function expectVerdict(verdict: Verdict, alone: boolean, afterHead: boolean, whole: boolean): void {
  if (whole || (!alone && !afterHead)) expect(verdict.kind).toBe("right");
  else if (afterHead) expect(verdict.kind).toBe("broken");
  else {
    expect(verdict.kind).toBe("error");
    expect([502, 504]).toContain(verdict.status);
  }
}

for (const stream of [false, true]) {
  const ask: Ask = { prompt: "cut me", stream };
  const bytesOf = countBytes(ask);
  test.each(cases)(
    `${stream ? "stream" : "json"}: $where $direction cut by $how at every byte`,
    (one) => {
      const total = bytesOf(one);
      const streams = stream && one.where === "decode" && one.direction === "to-proxy";
      expect(total).toBeGreaterThan(chunkedHead.length);
      for (const alone of one.where === "client" ? [false] : [false, true]) {
        for (const atByte of bytesToCut(one, total, alone)) {
          try {
            const { world, verdict } = cutOnce(ask, one, atByte, alone);
            const afterHead = streams && atByte >= firstEventEnd(ask);
            const whole = atByte === total && one.direction === "to-proxy";
            if (verdict !== undefined) expectVerdict(verdict, alone, afterHead, whole);
            // A silent client is answered 408, and one that leaves in its request is logged with 400.
            const logged = one.where !== "client" || atByte > 0;
            expect(world.lines, "access log").toHaveLength(logged ? 1 : 0);
          } catch (error) {
            throw new Error(`cut at byte ${atByte} of ${total}, alone: ${alone}`, { cause: error });
          }
        }
      }
    },
  );
}

/** Answers whose end is the end of the connection: only a reset can tell a client of them that they broke off. */
const unframed: readonly {
  readonly name: string;
  readonly version: string;
  readonly script: Script;
}[] = [
  { name: "chunked, to an HTTP/1.0 client", version: "1.0", script: decodes },
  {
    name: "until the engine closes, to an HTTP/1.0 client",
    version: "1.0",
    script: decodesUntilClosed,
  },
  { name: "until the engine closes", version: "1.1", script: decodesUntilClosed },
];

test.each(unframed)(
  "a response that breaks off never looks complete: $name",
  ({ version, script }) => {
    const ask: Ask = { prompt: "cut me", stream: true };
    const run = (how: Cut, atByte: number) => {
      const world = new World();
      for (const engine of world.decode) engine.script = script;
      const client = world.client();
      client.send(completion(ask, "", version));
      onFirstConnection(world, client, "decode", (far) => {
        far.peer!.atBytesRead(atByte, () => far.cut(how));
      });
      world.network.runUntil(
        latestMs,
        () => client.ended !== undefined || client.answers.length > 0,
      );
      const bytes = world.decode[0]!.connections[0]!.socket.peer!.bytesRead;
      const verdict = judge(client, ask);
      world.expectNothingLeft();
      return { verdict, bytes };
    };
    const total = run("fin", Number.POSITIVE_INFINITY).bytes;
    for (const how of ["rst", "silence"] as const) {
      for (let atByte = 0; atByte < total; atByte += 1) {
        const { kind } = run(how, atByte).verdict;
        expect(["right", "broken"], `cut by ${how} at byte ${atByte}`).toContain(kind);
      }
    }
  },
);
