/**
 * How much an engine is sent at once: too little leaves it idle between short prompts, too much is a queue at the
 * engine.
 */
import { expect, it } from "vitest";
import { PrefillBatches } from "../../src/estimates/prefill-batches.ts";

const prompt = (uncachedTokens: number, predictedMs = 100) => ({ uncachedTokens, predictedMs });

/** Sends pairs, whose second ends so long after the first. */
function pairs(batches: PrefillBatches, count: number, apartMs: number): void {
  for (let i = 0, nowMs = 0; i < count; i += 1, nowMs += 1_000) {
    const [first, second] = [prompt(100), prompt(100)];
    batches.send(0, first, nowMs);
    expect(batches.takes(0, 100)).toBe(true);
    batches.send(0, second, nowMs);
    batches.closeAll();
    expect(batches.done(0, first, nowMs + 100)).toBeUndefined();
    expect(batches.done(0, second, nowMs + 100 + apartMs)).toMatchObject({ size: 2 });
  }
}

it("an engine that ends several together is sent more at once, up to a bound", () => {
  const batches = new PrefillBatches(1);
  const before = batches.tokensMax(0);
  pairs(batches, 3, 1);
  expect(batches.tokensMax(0)).toBe(8 * before);
  pairs(batches, 40, 1);
  expect(batches.tokensMax(0)).toBeLessThanOrEqual(1 << 17);
});

it("one that computes them one after the other is sent less again", () => {
  const batches = new PrefillBatches(1);
  const before = batches.tokensMax(0);
  pairs(batches, 3, 1);
  pairs(batches, 20, 100);
  expect(batches.tokensMax(0)).toBe(before);
});

it("nothing joins what is under way, nor goes before what found no room", () => {
  const batches = new PrefillBatches(2);
  batches.send(0, prompt(100), 0);
  expect(batches.takes(0, 1 << 20)).toBe(false);
  expect(batches.takes(0, 1)).toBe(false);
  batches.send(1, prompt(100), 0);
  batches.closeAll();
  expect(batches.takes(1, 1)).toBe(false);
});

it("an engine ends when all of its batch are predicted to, and is idle when they are gone", () => {
  const batches = new PrefillBatches(2);
  const [one, two] = [prompt(100, 100), prompt(100, 50)];
  batches.send(1, one, 1_000);
  batches.send(1, two, 1_000);
  expect([...batches.endsMs]).toEqual([-1, 1_150]);
  batches.done(1, one, 1_100);
  expect(batches.endsMs[1]).toBe(1_150);
  batches.drop(1, two);
  expect([...batches.endsMs]).toEqual([-1, -1]);
});

it("what failed is forgotten, and ends nothing twice", () => {
  const batches = new PrefillBatches(1);
  const [failed, other] = [prompt(100), prompt(100)];
  batches.send(0, failed, 0);
  batches.send(0, other, 0);
  expect(batches.drop(0, failed)).toBe(true);
  expect(batches.drop(0, failed)).toBe(false);
  expect(batches.done(0, failed, 5)).toBeUndefined();
  expect(batches.done(0, other, 9)).toEqual({ tookMs: 9, size: 2 });
  expect(batches.open(0)).toBe(0);
});
