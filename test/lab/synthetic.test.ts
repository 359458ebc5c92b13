/** Made-up traffic is as it is asked for: policies are compared on it. */
import { expect, it, test } from "vitest";
import { syntheticTrace } from "../../src/lab/traces/synthetic.ts";

function gapsOf(spec: string): { mean: number; variation: number } {
  const arrivals = syntheticTrace(spec, 1).map(({ arrivalMs }) => arrivalMs);
  const gaps = arrivals.map((ms, i) => ms - (arrivals[i - 1] ?? 0));
  const mean = gaps.reduce((sum, ms) => sum + ms) / gaps.length;
  const square = gaps.reduce((sum, ms) => sum + (ms - mean) ** 2, 0) / gaps.length;
  return { mean, variation: Math.sqrt(square) / mean };
}

test.each([0.5, 1, 3])("arrivals have their rate, and vary as asked: %f", (burst) => {
  const { mean, variation } = gapsOf(`poisson:4,requests=20000,chats=0,burst=${burst}`);
  expect(mean / 250).toBeCloseTo(1, 1);
  expect(variation / burst).toBeCloseTo(1, 1);
});

it("requests that begin anew share system prompts, the first the most, and nothing behind them", () => {
  const spec = "poisson:4,requests=4000,chats=0,systems=4,system=6000,input=3000";
  const trace = syntheticTrace(spec, 2);
  const uses = new Map<number, number>();
  const users = new Map<number, number>();
  for (const { blocks, inputTokens } of trace) {
    expect(blocks.length).toBe(Math.floor(inputTokens / 512));
    uses.set(blocks[0]!, (uses.get(blocks[0]!) ?? 0) + 1);
    for (const block of blocks) users.set(block, (users.get(block) ?? 0) + 1);
  }
  const shares = [...uses.values()].sort((a, b) => b - a).map((count) => count / trace.length);
  expect(shares).toHaveLength(4);
  [12 / 25, 6 / 25, 4 / 25, 3 / 25].forEach((share, i) => {
    expect(shares[i]).toBeCloseTo(share, 1);
  });
  // Shared are those of the four beginnings alone.
  const shared = [...users.values()].filter((count) => count > 1).length;
  expect(shared).toBeGreaterThan(4 * 5);
  expect(shared).toBeLessThan(4 * 60);
});

it.each([
  ["poisson:4,burst=0", "burst must be a number from 0.1 to 20"],
  ["poisson:4,systems=1.5", "systems must be a whole number from 0 to 10000"],
  ["poisson:4,chats=2", "chats must be a share from 0 to 1"],
  [
    "poisson:4,bursts=2",
    '"bursts=2" is none of requests, input, output, chats, burst, systems, system',
  ],
])("%s is refused", (spec, message) => {
  expect(() => syntheticTrace(spec, 1)).toThrow(message);
});
