/** The engines in virtual time against queueing theory: a simulator that is wrong proves nothing. */
import { expect, it } from "vitest";
import { DecodeEngine } from "../../src/lab/model/decode-engine.ts";
import { Fleet, type Outcome } from "../../src/lab/model/fleet.ts";
import { Timeline } from "../../src/lab/model/timeline.ts";
import { dense70b, type EngineProfile, prefillMs, unloadedTtftMs } from "../../src/lab/profile.ts";
import { seededRandom } from "../../src/simulated-engine/model/prng.ts";

/** Moments of a Poisson process. */
function arrivals(count: number, everyMs: number): number[] {
  const draw = seededRandom(7);
  let atMs = 0;
  return Array.from({ length: count }, () => {
    atMs += -Math.log(1 - draw()) * everyMs;
    return atMs;
  });
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/**
 * Decodes so many tokens for each arrival.
 * @returns how long each took, and how many were there at moments in between.
 */
function decode(profile: EngineProfile, atMs: readonly number[], tokens: (i: number) => number) {
  const timeline = new Timeline();
  const engine = new DecodeEngine(timeline, profile);
  const sojourns: number[] = [];
  const seen: number[] = [];
  let inside = 0;
  atMs.forEach((arrivedMs, i) => {
    timeline.at(arrivedMs, () => {
      inside += 1;
      engine.submit({
        inputTokens: 1,
        outputTokens: tokens(i),
        firstToken() {},
        progressed() {},
        done(doneMs) {
          inside -= 1;
          sojourns[i] = doneMs - arrivedMs;
        },
      });
    });
  });
  // Looked at by a clock of its own, which neither arrivals nor steps are in time with.
  const lastMs = atMs.at(-1)!;
  for (let t = 0.1 * lastMs; t < lastMs; t += 97.3) timeline.at(t, () => void seen.push(inside));
  timeline.run();
  return { sojourns, seen };
}

/** A step costs only what each request in it adds, so that requests share the engine evenly. */
const sharing = { ...dense70b, stepBaseMs: 0, stepRequestMs: 1, stepKvTokenMs: 0 };
/** A step costs the same whatever the batch, so that nobody slows anybody down. */
const apart = { ...dense70b, stepBaseMs: 10, stepRequestMs: 0, stepKvTokenMs: 0 };

it("decode whose steps cost by the request is processor sharing: mean time x / (1 - load), whatever the lengths", () => {
  const alone = 400;
  for (const load of [0.5, 0.75]) {
    const atMs = arrivals(20_000, alone / load);
    const draw = seededRandom(11);
    const lengths = atMs.map(() => (draw() < 0.75 ? 200 : 1000));
    for (const tokens of [() => alone, (i: number) => lengths[i]!]) {
      const { sojourns } = decode(sharing, atMs, tokens);
      expect(Math.abs((mean(sojourns) * (1 - load)) / alone - 1), `load ${load}`).toBeLessThan(
        0.08,
      );
    }
    // Each length is slowed down by the same factor.
    const { sojourns } = decode(sharing, atMs, (i) => lengths[i]!);
    const slowed = (length: number) =>
      mean(sojourns.filter((_, i) => lengths[i] === length)) / length;
    expect(Math.abs(slowed(200) / slowed(1000) - 1)).toBeLessThan(0.08);
  }
});

it("decode whose steps cost the same whatever the batch is M/D/∞: the number inside is Poisson", () => {
  const tokens = 100;
  const atMs = arrivals(30_000, 125);
  const { seen, sojourns } = decode(apart, atMs, () => tokens);
  // A request joins at the next step: half a step later on average, unless the engine is idle.
  const expected = (tokens * apart.stepBaseMs + apart.stepBaseMs / 2) / 125;
  const average = mean(seen);
  expect(Math.abs(average / expected - 1)).toBeLessThan(0.03);
  expect(Math.abs(mean(seen.map((n) => (n - average) ** 2)) / expected - 1)).toBeLessThan(0.1);
  expect(Math.max(...sojourns)).toBeLessThanOrEqual((tokens + 1) * apart.stepBaseMs + 1e-6);
});

it("Little's law: the number decoding, counted by a clock, is rate times mean time", () => {
  const atMs = arrivals(20_000, 150);
  const draw = seededRandom(11);
  const lengths = atMs.map(() => 1 + Math.floor(draw() * 600));
  const { seen, sojourns } = decode(dense70b, atMs, (i) => lengths[i]!);
  expect(Math.abs(mean(seen) / (mean(sojourns) / 150) - 1)).toBeLessThan(0.03);
});

it("prefill with noise waits as an M/G/1 queue does", () => {
  const noise = 0.5;
  const tokens = 1000;
  const serviceMs = prefillMs(dense70b, tokens, tokens);
  const meanMs = serviceMs * Math.exp(noise ** 2 / 2);
  const load = 0.7;
  const timeline = new Timeline();
  const fleet = fleetOf(timeline, { noise });
  const atMs = arrivals(60_000, meanMs / load);
  const times: number[] = [];
  for (const arrivedMs of atMs) {
    const outcome = outcomeOf(arrivedMs, tokens, 1);
    timeline.at(arrivedMs, () =>
      fleet.prefill(0, outcome, () => void times.push(timeline.nowMs - arrivedMs)),
    );
  }
  timeline.run();
  // Pollaczek and Khinchine; of a log-normal service time the second moment is s² e^(2σ²).
  const waitMs = ((load / meanMs) * serviceMs ** 2 * Math.exp(2 * noise ** 2)) / (2 * (1 - load));
  expect(Math.abs(mean(times) / (waitMs + meanMs) - 1)).toBeLessThan(0.05);
});

it("a request that meets an empty fleet takes what the SLO says it takes", () => {
  const timeline = new Timeline();
  const fleet = fleetOf(timeline, { noise: 0 });
  const outcomes = [1, 700, 16_000, 120_000].map((tokens, i) => outcomeOf(i * 1e6, tokens, 3));
  for (const outcome of outcomes) {
    timeline.at(outcome.arrivedMs, () =>
      fleet.prefill(0, outcome, () => fleet.decode(0, outcome, ignored, ignored)),
    );
  }
  timeline.run();
  for (const { request, arrivedMs, firstTokenMs } of outcomes) {
    const expected = unloadedTtftMs(dense70b, request.inputTokens);
    expect(firstTokenMs - arrivedMs).toBeCloseTo(expected, 6);
  }
});

function fleetOf(timeline: Timeline, { noise }: { readonly noise: number }): Fleet {
  return new Fleet(timeline, {
    prefill: 1,
    decode: 1,
    profile: dense70b,
    cacheBlocks: 1,
    noise,
    slowest: 1,
    random: seededRandom(13),
  });
}

function outcomeOf(arrivedMs: number, inputTokens: number, outputTokens: number): Outcome {
  return {
    request: { arrivalMs: arrivedMs, inputTokens, outputTokens, blocks: [] },
    arrivedMs,
    firstTokenMs: -1,
    doneMs: -1,
    cachedTokens: 0,
    prefillEngine: -1,
  };
}

function ignored(): void {}
