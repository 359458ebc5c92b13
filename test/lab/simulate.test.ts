/** A simulation loses no request, repeats itself for a seed, and judges as it says. */
import { describe, expect, it } from "vitest";
import { dense70b } from "../../src/lab/profile.ts";
import { prefillPolicyNames } from "../../src/lab/replay.ts";
import { highestScale } from "../../src/lab/results/goodput.ts";
import { jain, percentiles } from "../../src/lab/results/metrics.ts";
import { resultJson, resultTable } from "../../src/lab/results/result-table.ts";
import { type SimulateOptions, simulate } from "../../src/lab/simulate.ts";
import { parseTrace, spreadArrivals, type TraceRequest } from "../../src/lab/traces/trace.ts";
import { seededRandom } from "../../src/simulated-engine/model/prng.ts";

/** Chats that come back with a longer prompt, as in a real trace. */
function chats(count: number): TraceRequest[] {
  const random = seededRandom(5);
  const requests: TraceRequest[] = [];
  for (let i = 0; i < count; i += 1) {
    const chat = Math.floor(random() * (count / 4));
    const turn = 1 + Math.floor(random() * 12);
    const blocks = Array.from({ length: turn }, (_, n) => chat * 16 + n);
    const inputTokens = turn * 512 + Math.floor(random() * 500);
    const outputTokens = 1 + Math.floor(random() * 300);
    requests.push({ arrivalMs: i * 120, inputTokens, outputTokens, blocks });
  }
  return requests;
}

const options: SimulateOptions = {
  prefill: 3,
  decode: 2,
  policies: prefillPolicyNames,
  decodePolicy: "least_bytes",
  scales: [0.5, 3],
  profile: dense70b,
  seed: 1,
  spreadMs: 0,
  cacheFraction: 0.1,
  noise: 0.1,
  slowest: 1,
  goodput: false,
};
const trace = chats(600);

it("every policy completes every request, at any rate, the same for the same seed", () => {
  const rows = [...simulate(trace, options)];
  expect(rows.map(({ completed, refused }) => [completed, refused])).toEqual(
    rows.map(() => [trace.length, 0]),
  );
  expect([...simulate(trace, options)].map(resultJson)).toEqual(rows.map(resultJson));
  const other = [...simulate(trace, { ...options, seed: 2 })];
  expect(other.map(resultJson)).not.toEqual(rows.map(resultJson));
  expect(resultTable(rows).split("\n")).toHaveLength(rows.length + 2);
});

it("holding and ordering finds the caches, and serves more within the SLO than dispatching", () => {
  const policies = ["length_balance", "least_bytes", "predictive"];
  const rows = [...simulate(trace, { ...options, policies, scales: [1], goodput: true })];
  const [history, bytes, ours] = rows as [(typeof rows)[0], (typeof rows)[0], (typeof rows)[0]];
  expect(ours.hitRate).toBeGreaterThan(1.3 * bytes.hitRate);
  expect(ours.goodput!).toBeGreaterThan(1.2 * Math.max(history.goodput!, bytes.goodput!));
  expect(ours.fairGoodput!).toBeGreaterThan(
    1.2 * Math.max(history.fairGoodput!, bytes.fairGoodput!),
  );
});

describe("a trace", () => {
  const line = '{"timestamp": 27, "input_length": 6955, "output_length": 52, "hash_ids": [46, 7]}';

  it("is read in the order of its times, which count from the first, its blocks numbered from 0", () => {
    const early = '{"timestamp":3,"input_length":1,"output_length":0,"hash_ids":["x",7]}';
    expect(parseTrace(`${line}\n\n${early}\n`)).toEqual([
      { arrivalMs: 0, inputTokens: 1, outputTokens: 1, blocks: [2, 1] },
      { arrivalMs: 24, inputTokens: 6955, outputTokens: 52, blocks: [0, 1] },
    ]);
  });

  it.each([
    ["", "the trace holds no requests"],
    ["{", "line 1: not a JSON object"],
    ["null", "line 1: not a JSON object"],
    [`${line}\n[1]`, "line 2: not a JSON object"],
    [
      '{"timestamp":0,"input_length":1,"output_length":1,"hash_ids":[{}]}',
      'line 1: "hash_ids" holds',
    ],
    ['{"timestamp":0,"input_length":1e999,"output_length":1}', 'line 1: "input_length" must be'],
    [`${line}\n{"timestamp":-1}`, 'line 2: "input_length" must be a number of at least 1'],
    ['{"timestamp":-1,"input_length":1,"output_length":1}', 'line 1: "timestamp" must be'],
    ['{"timestamp":0,"input_length":1,"hash_ids":5}', 'line 1: "hash_ids" must be a list'],
  ])("that is %j is refused", (text, message) => {
    expect(() => parseTrace(text)).toThrow(message);
  });

  it("spreads the arrivals of a tick over it, and keeps their number", () => {
    const ticks = chats(300).map((one, i) => ({ ...one, arrivalMs: 3000 * Math.floor(i / 10) }));
    const spread = spreadArrivals(ticks, 3000, seededRandom(1));
    expect(spread).toHaveLength(300);
    expect(new Set(spread.map(({ arrivalMs }) => arrivalMs)).size).toBe(300);
    expect(spread.every((one, i) => i === 0 || one.arrivalMs >= spread[i - 1]!.arrivalMs)).toBe(
      true,
    );
  });
});

it("metrics are what their names say", () => {
  expect(percentiles(Array.from({ length: 100 }, (_, i) => i + 1))).toEqual({
    p50: 50,
    p90: 90,
    p99: 99,
  });
  expect(jain([3, 3, 3])).toBe(1);
  expect(jain([1, 0, 0, 0])).toBe(0.25);
  expect(highestScale((scale) => (scale <= 1.37 ? 1 : 0), 0.9)).toBeCloseTo(1.37, 1);
  expect(highestScale(() => 0.5, 0.9)).toBe(0);
});

it.each([0.004, 0.02, 0.5, 15.9, 16.1, 300, 4000])("finds a goodput of %d", (goodput) => {
  const found = highestScale((scale) => (scale <= goodput ? 1 : 0), 0.9);
  expect(found).toBeLessThanOrEqual(goodput);
  expect(found).toBeGreaterThan(goodput / 1.011);
  // Where a fleet is known to do no more, no more is tried.
  const tried: number[] = [];
  const attains = (scale: number) => {
    tried.push(scale);
    return scale <= goodput ? 1 : 0;
  };
  expect(highestScale(attains, 0.9, 10)).toBeCloseTo(Math.min(goodput, 10), 0);
  expect(Math.max(...tried)).toBeLessThanOrEqual(10);
});
