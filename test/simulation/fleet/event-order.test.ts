/**
 * What happens to one request in every order that is possible: what its engines send and when, its client's leaving,
 * time-outs, refusals, a death, a reload, a drain. Each KV obligation is closed once, and none is open at the end. A
 * failure shows the shortest order that fails. `EVENT_ORDERS=2000` tries more of them for each dialect.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Dialect } from "../../../src/dialects/dialect.ts";
import { allDialects, type DialectName } from "../../../src/dialects/registry.ts";
import type { EngineConnection, Script } from "../engine.ts";
import { response } from "../engine.ts";
import { World } from "../world.ts";
import { Chance } from "./chance.ts";
import { pairs } from "./dialect-engines.ts";
import { FleetEngines } from "./fleet-engines.ts";
import { questionBody } from "./generation.ts";

const runs = Number(process.env["EVENT_ORDERS"] ?? 25);

/** What may come first, in between or last, or not at all: then what would wait for it does not wait. */
const events = [
  "prefill head",
  "prefill end",
  "decode connects",
  "decode head",
  "decode end",
  "client leaves",
  "prefill timeout",
  "request timeout",
  "prefill dies",
  "reload",
  "drain",
] as const;
type Event = (typeof events)[number];

/** Longer than a tick of the deadlines, so that time-outs come in their order as well. */
const stepMs = 250;

const leaves = ["fin", "rst", "half-close", "silence"] as const;
const decodes = ["responds", "refuses", "refuses once", "fails"] as const;

interface Scene {
  readonly order: readonly Event[];
  readonly leave: (typeof leaves)[number];
  readonly decode: (typeof decodes)[number];
  readonly stream: boolean;
}

const scenes: fc.Arbitrary<Scene> = fc.record({
  order: fc.shuffledSubarray([...events], { minLength: 2 }),
  leave: fc.constantFrom(...leaves),
  decode: fc.constantFrom(...decodes),
  stream: fc.boolean(),
});

function run(dialect: Dialect<DialectName>, scene: Scene): World {
  const { order, leave, stream } = scene;
  const at = (event: Event): number | undefined => {
    const index = order.indexOf(event);
    return index < 0 ? undefined : (index + 1) * stepMs;
  };
  const prefillTimeoutMs = at("prefill timeout");
  const requestTimeoutMs = at("request timeout");
  const latencyMs: [number, number] = [1, 1];
  const world = new World({
    latencyMs,
    engine: { attributes: { engine_id: "e" } },
    server: {
      routes: [
        {
          match: { path: "/" },
          target: { pool: "decode" },
          prefill: { pool: "prefill" },
          dialect: dialect.name,
          ...(prefillTimeoutMs && { prefillTimeoutMs }),
          ...(requestTimeoutMs && { requestTimeoutMs }),
        },
      ],
    },
  });
  const { network } = world;
  const until = (event: Event, action: () => void): void => {
    const waitMs = (at(event) ?? 0) - network.nowMs();
    if (waitMs > 0) network.after(waitMs, action);
    else action();
  };
  holdConnects(world, latencyMs, () => (at("decode connects") ?? 0) - network.nowMs());
  const rules = { dialect: dialect.name, mayComputeAlone: true, preempts: false };
  const engines = new FleetEngines(world, new Chance(1), rules);
  const { prefill, decode } = pairs[dialect.name](engines);
  for (const engine of world.engines) {
    engine.checksTransfer = false;
    engine.takesReleases = false;
    if (engine.role === "prefill")
      engine.script = inParts(engines.strict(prefill), until, "prefill");
    else engine.script = inParts(decodeScript(scene, engines.strict(decode)), until, "decode");
  }
  const client = world.client();
  const question = { path: "/v1/completions", prompt: "one:", maxTokens: 5 } as const;
  const body = questionBody({ ...question, stream, usage: false, logprobs: false, ids: false });
  client.send(
    `POST ${question.path} HTTP/1.1\r\nHost: proxy\r\nX-Request-Id: one\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  const happens = (event: Event, action: () => void): void => {
    const atMs = at(event);
    if (atMs !== undefined) network.after(atMs, action);
  };
  happens("client leaves", () => {
    if (leave === "fin") client.socket.destroy();
    else if (leave === "rst") client.socket.reset();
    else if (leave === "half-close") client.socket.end();
    else client.socket.cut("silence");
  });
  happens("prefill dies", () => {
    for (const engine of world.prefill)
      for (const { socket } of engine.connections) if (!socket.closed) socket.cut("rst");
  });
  happens("reload", () => world.apply(world.config));
  happens("drain", () => void world.worker.drain(0));
  world.runFor((order.length + 2) * stepMs);
  client.socket.destroy();
  world.runUntil(() => world.inFlight === 0, 120_000);
  // A client that has gone silent is found out by its idle connection.
  world.runFor(20_000);
  world.expectNothingLeft();
  return world;
}

/** Connections to decode engines come up late. @param leftMs how long it takes from now on */
function holdConnects(world: World, latencyMs: [number, number], leftMs: () => number): void {
  const { network } = world;
  const connect = network.connect.bind(network);
  network.connect = (address, handler) => {
    const lateMs = address.host?.startsWith("decode") ? Math.max(1, leftMs()) : 1;
    latencyMs.fill(lateMs);
    const socket = connect(address, handler);
    latencyMs.fill(1);
    return socket;
  };
}

/** Sends the head, with the beginning of a body, and the rest when it is time for them. */
function inParts(
  script: Script,
  until: (event: Event, action: () => void) => void,
  leg: "prefill" | "decode",
): Script {
  return (request, connection) => {
    let isFirst = true;
    const send: EngineConnection["send"] = (text) => {
      const bytes = Buffer.from(text as string);
      const cut = isFirst ? bytes.indexOf("\r\n\r\n") + 4 + ((bytes.length - 4) >> 2) : 0;
      const first = bytes.subarray(0, cut);
      isFirst = false;
      until(`${leg} head`, () => {
        connection.send(first);
        until(`${leg} end`, () => connection.send(bytes.subarray(first.length)));
      });
    };
    script(request, { ...connection, send });
  };
}

function decodeScript({ decode }: Scene, whole: Script): Script {
  let refusals = decode === "responds" ? 0 : decode === "refuses once" ? 1 : 9;
  const status = decode === "fails" ? "500 Internal Server Error" : "400 Bad Request";
  return (request, connection) => {
    const isRelease = request.body.includes('"max_tokens":1,');
    if (isRelease || refusals === 0) {
      whole(request, connection);
      return;
    }
    refusals -= 1;
    connection.send(response('{"error":{"message":"no"}}', status));
  };
}

const splitting = allDialects.filter(({ servesWhole }: Dialect) => servesWhole !== true);

describe.each(splitting.map((dialect) => [dialect.name, dialect] as const))("%s", (_, dialect) => {
  test("in whatever order things happen, each obligation is closed once", () => {
    let opened = 0;
    fc.assert(
      fc.property(scenes, (scene) => {
        opened += run(dialect, scene).kvAudit.opened;
      }),
      { numRuns: runs, seed: Number(process.env["EVENT_SEED"] ?? 1) },
    );
    if ("release" in dialect) expect(opened).toBeGreaterThan(runs / 2);
    else expect(opened).toBe(0);
  });
});
