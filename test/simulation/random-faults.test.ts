/**
 * Random fleets, clients and faults, by seed. Whatever happens, each request comes to a right response, a typed error
 * or a visible end, in bounded time, and nothing stays occupied. A failure names its seed: run that one alone with
 * `SIMULATION_SEED`. `SIMULATION_SCENARIOS` makes it run for longer.
 */
import { expect, test } from "vitest";
import { seededRandom } from "../../src/simulated-engine/model/prng.ts";
import type { Cut } from "../../src/transport/memory-socket.ts";
import { type Client, completion } from "./client.ts";
import {
  chunk,
  chunkedHead,
  decodes,
  decodesUntilClosed,
  type Engine,
  prefills,
  response,
  type Script,
} from "./engine.ts";
import { type Ask, rightResponse } from "./prompts.ts";
import { World } from "./world.ts";

const scenarios = Number(process.env["SIMULATION_SCENARIOS"] ?? 300);
/** Longer than all tries and time-outs of one client's requests together. */
const patienceMs = 120_000;

class Chance {
  readonly #random: () => number;
  constructor(seed: number) {
    this.#random = seededRandom(seed);
  }
  below(n: number): number {
    return Math.floor(this.#random() * n);
  }
  of<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }
  happens(probability: number): boolean {
    return this.#random() < probability;
  }
}

type Mishap = (chance: Chance, whole: Script) => Script;
const cuts: readonly Cut[] = ["fin", "rst", "silence"];

/** What can befall one request at an engine. None of them makes a wrong response that looks whole. */
const mishaps: readonly Mishap[] = [
  (chance) =>
    (_, { socket }) =>
      socket.cut(chance.of(cuts)),
  (chance, whole) => (request, connection) => {
    // It answers, and dies at some moment of that.
    whole(request, connection);
    const how = chance.of(["rst", "silence"] as const);
    connection.after(chance.below(60), () => connection.socket.cut(how));
  },
  () => () => {},
  (chance, whole) => (request, connection) =>
    connection.after(chance.below(1_500), () => whole(request, connection)),
  (chance) =>
    (_, { send, after, socket }) => {
      send(response('{"half":true}').subarray(0, 20 + chance.below(60)));
      after(chance.below(50), () => socket.cut(chance.of(cuts)));
    },
  () =>
    (_, { send }) =>
      send(response("busy", "503 Service Unavailable")),
  () =>
    (_, { send }) =>
      send("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"),
  () =>
    (_, { send }) =>
      send(`${chunkedHead}${chunk("data: 1\n\n")}zz\r\n`),
  (_, whole) => (request, connection) => {
    connection.send("HTTP/1.1 102 Processing\r\n\r\n");
    whole(request, connection);
  },
];

function unreliable(chance: Chance, rate: number, whole: Script): Script {
  return (request, connection) => {
    const script = chance.happens(rate) ? chance.of(mishaps)(chance, whole) : whole;
    script(request, connection);
  };
}

/** Some engines cannot be reached for a while. */
function outages(world: World, chance: Chance, engines: readonly Engine[]): void {
  for (const engine of engines) {
    if (!chance.happens(0.2)) continue;
    engine.connects(chance.of(["refused", "silence"] as const));
    if (chance.happens(0.5))
      world.network.after(chance.below(4_000), () => engine.connects(undefined));
  }
}

interface Asker {
  readonly client: Client;
  readonly asks: readonly Ask[];
  readonly version: string;
  /** Goes away, or reads slowly, so that its responses may break off. */
  fickle: boolean;
}

function asker(world: World, chance: Chance, name: string): Asker {
  const count = 1 + chance.below(4);
  const asks = Array.from({ length: count }, (_, i) => ({
    prompt: `${name}.${i} ${"p".repeat(chance.below(300))}`,
    stream: chance.happens(0.5),
    events: 1 + chance.below(6),
  }));
  const version = chance.happens(0.1) ? "1.0" : "1.1";
  const client = world.client();
  const lines = version === "1.0" ? "Connection: keep-alive\r\n" : "";
  for (const ask of asks) client.send(completion(ask, lines, version));
  const one: Asker = { client, asks, version, fickle: false };
  if (chance.happens(0.3)) {
    one.fickle = true;
    const leave = chance.of<() => void>([
      () => client.socket.destroy(),
      () => client.socket.reset(),
      () => client.socket.end(),
      () => client.socket.cut("silence"),
      () => client.socket.pause(),
    ]);
    world.network.after(chance.below(600), leave);
  }
  return one;
}

function expectHonest({ client, asks, fickle }: Asker): void {
  client.answers.forEach((got, i) => {
    const where = `answer ${i} of ${client.answers.length}`;
    if (got.status === 200) expect(got.body.toString(), where).toBe(rightResponse(asks[i]!));
    else {
      expect([502, 503, 504], where).toContain(got.status);
      expect(got.body.toString()).toMatch(got.status === 503 ? /busy|GP_/ : /"code":"GP_\w+"/);
    }
  });
  expect(client.answers.length).toBeLessThanOrEqual(asks.length);
  if (!fickle && client.answers.length < asks.length) expect(client.ended).toBeDefined();
}

function run(seed: number): void {
  const chance = new Chance(seed);
  const world = new World({
    seed,
    prefill: 1 + chance.below(3),
    decode: 1 + chance.below(3),
    latencyMs: [0, chance.below(20)],
    readBytes: [1, chance.of([3, 40, 1_000, 65_536])],
    kernelBytes: chance.of([64, 1_000, 131_072]),
    route: {
      retry: {
        on: [
          "error",
          "timeout",
          "invalid_header",
          ...(chance.happens(0.3) ? ["http_503" as const] : []),
        ],
      },
    },
    engine: { maxConns: chance.of([0, 0, 1, 3]), maxFails: chance.of([0, 1, 3]) },
    pool: {
      keepAlive: {
        idleMs: 1_500,
        connections: chance.of([0, 1, 256]),
        requests: chance.of([1, 2, 1_000]),
      },
      policy: {
        name: chance.of([
          "round_robin",
          "least_conn",
          "random",
          "length_balance",
          "predictive",
        ] as const),
      },
      ...(chance.happens(0.5) && {
        queue: { max: chance.of([1, 3, 100]), timeoutMs: chance.of([300, 30_000]) },
      }),
      shadow: { name: chance.of(["least_bytes", "cache_aware", "ascend_heap"] as const) },
    },
  });
  world.kv.consumed = false;
  const rate = chance.of([0, 0.1, 0.3, 0.6]);
  for (const engine of world.prefill) engine.script = unreliable(chance, rate, prefills);
  for (const engine of world.decode) {
    engine.script = unreliable(chance, rate, chance.happens(0.2) ? decodesUntilClosed : decodes);
  }
  outages(world, chance, world.engines);
  if (chance.happens(0.2)) world.network.after(chance.below(800), () => world.apply(world.config));
  const drains = chance.happens(0.1);
  if (drains) world.network.after(chance.below(800), () => void world.worker.drain(0));
  const askers = Array.from({ length: 1 + chance.below(6) }, (_, i) => {
    world.runFor(chance.below(200));
    return asker(world, chance, `c${i}`);
  });
  if (drains) for (const one of askers) one.fickle = true;
  const isDone = ({ client, asks, fickle }: Asker) =>
    fickle || client.answers.length === asks.length || client.ended !== undefined;
  world.runUntil(() => askers.every(isDone), patienceMs);
  for (const one of askers) expectHonest(one);
  // Those that only read no more, or have gone silent, are found out too.
  world.runUntil(() => world.inFlight === 0, patienceMs);
  world.runFor(20_000);
  const asked = askers.reduce((sum, { asks }) => sum + asks.length, 0);
  const answered = askers.reduce((sum, { client }) => sum + client.answers.length, 0);
  expect(world.lines.length).toBeGreaterThanOrEqual(answered);
  expect(world.lines.length).toBeLessThanOrEqual(asked);
  world.expectNothingLeft();
}

const requiredEngine = process.env["SIMULATION_SEED"];
const seeds =
  requiredEngine === undefined
    ? Array.from({ length: scenarios }, (_, i) => i + 1)
    : [Number(requiredEngine)];

test("whatever befalls a fleet, no request ends wrongly, and nothing is left", () => {
  for (const seed of seeds) {
    try {
      run(seed);
    } catch (cause) {
      throw new Error(`SIMULATION_SEED=${seed}`, { cause });
    }
  }
});
