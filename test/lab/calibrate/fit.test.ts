/** A fit finds the constants that the samples were made with, also through noise, and none below 0. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { leastSquares } from "../../../src/lab/calibrate/fit.ts";
import { fitted } from "../../../src/lab/calibrate/index.ts";
import { together } from "../../../src/lab/calibrate/measure.ts";
import { seededRandom } from "../../../src/simulated-engine/model/prng.ts";

const lengths = [128, 256, 512, 1024, 2048, 4096, 8192];
const batches = [
  [1, 200],
  [4, 800],
  [16, 3200],
  [1, 4000],
  [4, 16_000],
] as const;

function calibrationOf(
  [base, token, pair]: readonly number[],
  [step, request, kv]: readonly number[],
  noise = () => 1,
) {
  const prefill = lengths.map((tokens) => ({
    tokens,
    ms: (base! + token! * tokens + pair! * tokens ** 2) * noise(),
  }));
  const decode = batches.map(([batch, residentTokens]) => ({
    batch,
    residentTokens,
    stepMs: (step! + request! * batch + kv! * residentTokens) * noise(),
  }));
  return fitted(prefill, decode, undefined, "test");
}

it("exact samples give the constants back, whatever they are", () => {
  const costs = fc.tuple(
    fc.double({ min: 1, max: 50, noNaN: true }),
    fc.constantFrom(0, 0.01, 0.2, 3),
    fc.constantFrom(0, 1e-6, 3e-5),
  );
  fc.assert(
    fc.property(costs, costs, (prefill, [step, request, kv]) => {
      const { profile, prefillError, decodeError } = calibrationOf(prefill, [step, request, kv]);
      const close = (found: number, made: number) =>
        expect(Math.abs(found - made)).toBeLessThan(1e-4 * made + 1e-9);
      close(profile.prefillBaseMs, prefill[0]);
      close(profile.prefillTokenMs, prefill[1]);
      close(profile.prefillPairMs, prefill[2]);
      close(profile.stepBaseMs, step);
      close(profile.stepRequestMs, request);
      close(profile.stepKvTokenMs, kv);
      expect(Math.max(prefillError, decodeError)).toBeLessThan(1e-6);
    }),
  );
});

it("noise of 3 % leaves what is predicted within a few percent, and the costs not negative", () => {
  const random = seededRandom(1);
  for (let run = 0; run < 50; run += 1) {
    const made = calibrationOf([20, 0.1, 1e-6], [20, 0.1, 4e-5], () => 0.97 + 0.06 * random());
    expect(Math.max(made.prefillError, made.decodeError)).toBeLessThan(0.07);
    for (const value of Object.values(made.profile)) {
      if (typeof value === "number") expect(value).toBeGreaterThanOrEqual(0);
    }
  }
});

it("samples that do not tell costs apart give a fit all the same", () => {
  const samples = [{ factors: [1, 2, 4], value: 10 }];
  const [a = 0, b = 0, c = 0] = leastSquares(samples);
  expect(a + 2 * b + 4 * c).toBeCloseTo(10, 6);
  expect(leastSquares([])).toEqual([]);
});

describe("steps of a batch", () => {
  const stream = (firstMs: number, stepMs: number, events: number, perEvent = 1) => ({
    sentMs: 0,
    eventsMs: Array.from({ length: events }, (_, i) => firstMs + i * stepMs),
    promptTokens: 100,
    outputTokens: events * perEvent,
  });

  it("are those that all of it took part in", () => {
    const alone = stream(0, 5, 20).eventsMs;
    const shared = stream(100, 15, 20).eventsMs;
    const early = { ...stream(0, 0, 0), eventsMs: [...alone, ...shared], outputTokens: 40 };
    expect(together([early, stream(102, 15, 20)])).toMatchObject({ batch: 2, stepMs: 15 });
  });

  it("are shorter than events where these hold several tokens", () => {
    expect(together([stream(0, 30, 20, 3)])).toMatchObject({ stepMs: 10 });
  });

  it("have the same length when events come several at a time, or one is late", () => {
    const inBursts = (events: number[]) => ({ ...stream(0, 0, events.length), eventsMs: events });
    const bursts = Array.from({ length: 48 }, (_, i) => Math.ceil(i / 6) * 6 * 28);
    const ofBursts = together([inBursts(bursts)])!.stepMs;
    expect(ofBursts).toBeGreaterThan(28 * 0.8);
    expect(ofBursts).toBeLessThan(28 * 1.2);
    const oneLate = Array.from({ length: 48 }, (_, i) => i * 28 + (i > 20 ? 2_000 : 0));
    expect(together([inBursts(oneLate)])!.stepMs).toBeCloseTo(28, 6);
  });

  it("are not known of streams that were never together", () => {
    expect(together([stream(0, 10, 10), stream(500, 10, 10)])).toBeUndefined();
  });
});
