/**
 * One run of a whole fleet, all of it from a seed: engines that go wrong in every way, clients that leave, reloads,
 * workers that die, a drain. Afterwards: each request had one end that its client could see, what clients have is what
 * engines sent, and nothing stays occupied.
 */
import { expect } from "vitest";
import { decodes, decodesUntilClosed, prefills } from "../engine.ts";
import { World } from "../world.ts";
import { type Asker, asker, expectHonest, isOver } from "./askers.ts";
import { Chance } from "./chance.ts";
import { MeetingEngines } from "./meeting-engines.ts";
import { unreliable } from "./misbehaviours.ts";

/** Longer than all tries and time-outs of one client's requests together. */
const patienceMs = 120_000;

const policies = [
  "round_robin",
  "least_conn",
  "random",
  "length_balance",
  "cache_aware",
  "predictive",
] as const;

/** `omni`: prefill first. `sglang`: both engines at once. */
type Dialect = "omni" | "sglang";

function fleetOf(seed: number, chance: Chance, dialect: Dialect): World {
  const retry = { on: ["error", "timeout", "invalid_header"] as const, tries: chance.below(3) };
  return new World({
    seed,
    workers: chance.of([1, 1, 2, 3]),
    prefill: 1 + chance.below(4),
    decode: 1 + chance.below(4),
    latencyMs: [0, chance.below(20)],
    readBytes: [1, chance.of([3, 40, 1_000, 65_536])],
    kernelBytes: chance.of([64, 1_000, 131_072]),
    route: { dialect, ...(chance.happens(0.3) && { retry: { ...retry, on: [...retry.on] } }) },
    engine: {
      maxConns: chance.of([0, 0, 1, 3]),
      // Without it engines are ejected as in Envoy.
      ...(chance.happens(0.5) && { maxFails: chance.of([0, 1, 3]) }),
    },
    pool: {
      keepAlive: {
        idleMs: 1_500,
        connections: chance.of([0, 1, 256]),
        requests: chance.of([1, 2, 1_000]),
      },
      policy: { name: chance.of(policies) },
      ...(chance.happens(0.5) && {
        queue: { max: chance.of([1, 3, 100]), timeoutMs: chance.of([300, 30_000]) },
      }),
      shadow: { name: chance.of(["least_bytes", "cache_aware", "ascend_heap"] as const) },
    },
  });
}

/** Gives each engine what it does, and what goes wrong with it. */
function staff(world: World, chance: Chance, dialect: Dialect): void {
  const rate = chance.of([0, 0.1, 0.3, 0.6]);
  const meeting = new MeetingEngines();
  const isMeeting = dialect === "sglang";
  world.kv.consumed = false;
  for (const engine of world.engines) engine.checksTransfer = !isMeeting;
  for (const engine of world.prefill) {
    const whole = isMeeting ? meeting.prefills : prefills;
    engine.script = unreliable(world, chance, rate, whole);
  }
  for (const engine of world.decode) {
    const alone = chance.happens(0.2) ? decodesUntilClosed : decodes;
    engine.script = unreliable(world, chance, rate, isMeeting ? meeting.decodes : alone);
  }
}

/** Some engines cannot be reached for a while. */
function outages(world: World, chance: Chance): void {
  for (const engine of world.engines) {
    if (!chance.happens(0.2)) continue;
    engine.connects(chance.of(["refused", "silence"] as const));
    if (chance.happens(0.5))
      world.network.after(chance.below(4_000), () => engine.connects(undefined));
  }
}

/** What operators and machines do to the proxy meanwhile. @returns whether clients may be cut off by it */
function events(world: World, chance: Chance): boolean {
  const { network } = world;
  const soon = (run: () => void): void => network.after(chance.below(1_500), run);
  if (chance.happens(0.2)) soon(() => world.apply(world.config));
  const kills = chance.happens(0.2);
  if (kills) soon(() => world.workers.kill(chance.below(world.workers.all.length)));
  const drains = !kills && chance.happens(0.1);
  if (drains) soon(() => world.workers.all.map((worker) => worker.drain(0)));
  return drains;
}

/** Throws what is wrong. */
export function runFleet(seed: number): void {
  const chance = new Chance(seed);
  const dialect = chance.of(["omni", "sglang"] as const);
  const world = fleetOf(seed, chance, dialect);
  staff(world, chance, dialect);
  outages(world, chance);
  const drains = events(world, chance);
  const askers: Asker[] = [];
  for (let i = chance.below(6); i >= 0; i -= 1) {
    world.runFor(chance.below(300));
    const one = asker(world, chance, `c${i}`);
    askers.push(drains ? { ...one, isFickle: true } : one);
  }
  world.runUntil(() => askers.every((one) => one.isFickle || isOver(one)), patienceMs);
  for (const one of askers) expectHonest(one);
  // Those that only read no more, or have gone silent, are found out too.
  world.runUntil(() => world.inFlight === 0, patienceMs);
  world.runFor(20_000);
  const asked = askers.reduce((sum, { asks }) => sum + asks.length, 0);
  const responded = askers.reduce((sum, { client }) => sum + client.answers.length, 0);
  expect(world.lines.length, "lines of the access log").toBeGreaterThanOrEqual(responded);
  expect(world.lines.length, "lines of the access log").toBeLessThanOrEqual(asked);
  world.expectNothingLeft();
}
