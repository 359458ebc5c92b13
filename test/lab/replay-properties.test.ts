/**
 * What holds of every replay, of whatever trace, by whatever policy: nothing is lost, nobody is served before it came.
 */
import fc from "fast-check";
import { expect, it } from "vitest";
import { profiles } from "../../src/lab/profiles/index.ts";
import { prefillPolicyNames, type ReplayOptions, replay } from "../../src/lab/replay.ts";
import { metricsOf } from "../../src/lab/results/metrics.ts";
import { defaultSlo } from "../../src/lab/results/slo.ts";
import type { TraceRequest } from "../../src/lab/traces/trace.ts";
import { seededRandom } from "../../src/simulated-engine/model/prng.ts";

const requests = fc.array(
  fc.record({
    arrivalMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 20_000 })),
    inputTokens: fc.integer({ min: 1, max: 40_000 }),
    outputTokens: fc.integer({ min: 1, max: 2_000 }),
    // A few chats, so that prompts share prefixes.
    chat: fc.integer({ min: 0, max: 5 }),
  }),
  { minLength: 1, maxLength: 60 },
);

const situations = fc.record({
  requests,
  prefill: fc.integer({ min: 1, max: 4 }),
  decode: fc.integer({ min: 1, max: 3 }),
  profileName: fc.constantFrom(...profiles.keys()),
  prefillPolicy: fc.constantFrom(...prefillPolicyNames),
  scale: fc.constantFrom(0.1, 1, 50),
  noise: fc.constantFrom(0, 0.5),
  cacheBlocks: fc.constantFrom(1, 20, 10_000),
  kvTokens: fc.constantFrom(3_000, 60_000, 1e6),
  seed: fc.integer({ min: 0, max: 1000 }),
});

interface Situation
  extends Omit<ReplayOptions, "trace" | "profile" | "random" | "slowest" | "decodePolicy"> {
  readonly requests: readonly (Omit<TraceRequest, "blocks"> & { readonly chat: number })[];
  readonly profileName: string;
  readonly kvTokens: number;
  readonly seed: number;
}

function optionsOf(one: Situation): ReplayOptions {
  const { profileName, kvTokens, seed, requests: drawn, ...rest } = one;
  const trace = drawn.map(
    ({ chat, inputTokens, ...request }): TraceRequest => ({
      ...request,
      inputTokens,
      blocks: Array.from({ length: Math.floor(inputTokens / 512) }, (_, i) => chat * 100 + i),
    }),
  );
  trace.sort((a, b) => a.arrivalMs - b.arrivalMs);
  const profile = { ...profiles.get(profileName)!, kvTokens };
  const random = seededRandom(seed);
  return { ...rest, trace, profile, random, slowest: 1, decodePolicy: "least_bytes" };
}

const shown = (one: Situation) => {
  const options = optionsOf(one);
  return { options, outcomes: replay(options) };
};

it("each request ends, after its arrival, its prefill, its transfer and as many steps as it has tokens", () => {
  fc.assert(
    fc.property(situations, (one) => {
      const { options, outcomes } = shown(one);
      const { profile, trace, scale } = options;
      expect(outcomes.map(({ request }) => request)).toEqual(trace);
      for (const { request, ...outcome } of outcomes) {
        expect(outcome.arrivedMs).toBe(request.arrivalMs / scale);
        expect(outcome.cachedTokens).toBeGreaterThanOrEqual(0);
        expect(outcome.cachedTokens).toBeLessThan(request.inputTokens);
        expect(outcome.prefillEngine).toBeGreaterThanOrEqual(0);
        expect(outcome.prefillEngine).toBeLessThan(options.prefill);
        const fastestMs = profile.transferBaseMs + profile.stepBaseMs;
        expect(outcome.firstTokenMs - outcome.arrivedMs).toBeGreaterThan(fastestMs);
        const stepsMs = (request.outputTokens - 1) * profile.stepBaseMs;
        expect(outcome.doneMs - outcome.firstTokenMs).toBeGreaterThanOrEqual(stepsMs - 1e-6);
      }
      const metrics = metricsOf(outcomes, profile, defaultSlo);
      expect(metrics.completed + metrics.refused).toBe(trace.length);
    }),
    { numRuns: 150 },
  );
});

it("the same seed gives the same replay, to the last bit", () => {
  fc.assert(
    fc.property(situations, (one) => {
      expect(shown(one).outcomes).toEqual(shown(one).outcomes);
    }),
    { numRuns: 50 },
  );
});

it("an engine prefills one prompt at a time: together they take no less than their work", () => {
  fc.assert(
    fc.property(situations, (one) => {
      const alone = { ...one, profileName: "dense-70b", noise: 0 };
      const { options, outcomes } = shown(alone);
      const { profile, prefill } = options;
      for (let engine = 0; engine < prefill; engine += 1) {
        const own = outcomes.filter(({ prefillEngine }) => prefillEngine === engine);
        if (own.length === 0) continue;
        let workMs = 0;
        for (const { request, cachedTokens } of own) {
          const uncached = request.inputTokens - cachedTokens;
          const perTokenMs = profile.prefillTokenMs + profile.prefillPairMs * request.inputTokens;
          workMs += profile.prefillBaseMs + uncached * perTokenMs;
        }
        const firstMs = Math.min(...own.map(({ arrivedMs }) => arrivedMs));
        const lastMs = Math.max(...own.map(({ firstTokenMs }) => firstTokenMs));
        expect(lastMs - firstMs).toBeGreaterThan(workMs - 1e-6);
      }
    }),
    { numRuns: 100 },
  );
});

it("what decodes together fits into the engine's KV room, unless one request alone is too large", () => {
  fc.assert(
    fc.property(situations, (one) => {
      const { options, outcomes } = shown({ ...one, decode: 1 });
      for (const { firstTokenMs } of outcomes) {
        const inside = outcomes.filter(
          (other) => other.firstTokenMs <= firstTokenMs && other.doneMs > firstTokenMs,
        );
        const tokens = inside.map(({ request }) => request.inputTokens + request.outputTokens);
        if (inside.length > 1) {
          expect(tokens.reduce((sum, more) => sum + more, 0)).toBeLessThanOrEqual(
            options.profile.kvTokens,
          );
        }
      }
    }),
    { numRuns: 100 },
  );
});
