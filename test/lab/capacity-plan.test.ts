/** A plan is what trying all fleets would find; synthetic traces have the rate and the lengths that were asked for. */
import { describe, expect, it } from "vitest";
import { dense70b } from "../../src/lab/profile.ts";
import {
  bestSplit,
  leastEngines,
  planJson,
  plannedEnginesMax,
  planTable,
  rateOf,
} from "../../src/lab/results/capacity-plan.ts";
import { defaultSlo, parseSlo, sloText } from "../../src/lab/results/slo.ts";
import { type SimulateOptions, Trials } from "../../src/lab/simulate.ts";
import { syntheticTrace } from "../../src/lab/traces/synthetic.ts";

const trace = syntheticTrace("poisson:3,requests=400,input=5000,output=150", 1);
const options: SimulateOptions = {
  prefill: 1,
  decode: 1,
  policies: ["least_bytes"],
  decodePolicy: "least_bytes",
  scales: [1],
  profile: { ...dense70b, kvTokens: 150_000 },
  seed: 1,
  spreadMs: 0,
  cacheFraction: 0.3,
  noise: 0.1,
  slowest: 1,
  slo: { ...defaultSlo, tpotMs: 26 },
  goodput: false,
};
const trials = () => new Trials(trace, options, () => {});

it("the least engines are enough, and no smaller fleet is", () => {
  const all = trials();
  for (const rate of [1, 4]) {
    const scale = rate / rateOf(trace);
    const plan = leastEngines(all, "least_bytes", scale, rate);
    expect(plan.isEnough).toBe(true);
    expect(plan.metrics.attainedWorst).toBeGreaterThanOrEqual(0.9);
    const engines = plan.prefill + plan.decode;
    for (let prefill = 1; prefill < engines - 1; prefill += 1) {
      for (let decode = 1; prefill + decode < engines; decode += 1) {
        const { attainedWorst } = all.metrics("least_bytes", scale, { prefill, decode });
        expect(attainedWorst, `${prefill}P ${decode}D at ${rate}`).toBeLessThan(0.9);
      }
    }
  }
});

it("a rate that no fleet can serve is reported, after a bounded search", () => {
  const impossible = { ...options, slo: { ...defaultSlo, tpotMs: 1 } };
  const few = new Trials(trace.slice(0, 20), impossible, () => {});
  const plan = leastEngines(few, "least_bytes", 1, 3);
  expect(plan.isEnough).toBe(false);
  expect(planTable([plan])).toContain("NOT ENOUGH");
});

it("a traffic for more engines than are looked for is reported, too", () => {
  const heavy = trace.slice(0, 20).map((one) => ({ ...one, inputTokens: 500_000, blocks: [] }));
  const plan = leastEngines(new Trials(heavy, options, () => {}), "least_bytes", 30, 90);
  expect(plan.isEnough).toBe(false);
  expect(plan.prefill + plan.decode).toBe(plannedEnginesMax);
});

it("the best split serves as much as any other of so many engines", () => {
  const all = trials();
  const engines = 6;
  const plan = bestSplit(all, "least_bytes", engines, rateOf(trace));
  expect(plan.prefill + plan.decode).toBe(engines);
  const each = Array.from({ length: engines - 1 }, (_, i) =>
    all.goodput("least_bytes", true, { prefill: i + 1, decode: engines - 1 - i }),
  );
  expect(plan.rate / rateOf(trace)).toBeGreaterThan(0.95 * Math.max(...each));
  expect(planJson(plan)).toMatchObject({ policy: "least_bytes", isEnough: true });
});

describe("an SLO", () => {
  it.each([
    ["ttft=2000", { ttftFactor: 0, ttftExtraMs: 2000 }],
    ["ttft=3x", { ttftFactor: 3, ttftExtraMs: 0 }],
    [
      "ttft=2.5x+500,tpot=40,share=0.99",
      { ttftFactor: 2.5, ttftExtraMs: 500, tpotMs: 40, share: 0.99 },
    ],
  ])("%s is understood", (text, expected) => {
    const slo = parseSlo(text);
    expect(slo).toEqual({ ...defaultSlo, ...expected });
    expect(sloText(slo)).toContain(`TPOT within ${slo.tpotMs} ms`);
  });

  it.each([
    ["ttft=", /ttft is ms/],
    ["ttft=fast", /ttft is ms .*"fast"/],
    ["tpot=0", /tpot is ms/],
    ["share=2", /share is above 0/],
    ["ttfb=5", /consists of ttft, tpot and share, not "ttfb"/],
  ])("%s is refused", (text, message) => expect(() => parseSlo(text)).toThrow(message));
});

describe("a synthetic trace", () => {
  it("has the rate, the number and the median lengths that were asked for", () => {
    const made = syntheticTrace("poisson:20,requests=20000,input=1000,output=100,chats=0", 3);
    expect(made).toHaveLength(20_000);
    expect(rateOf(made)).toBeGreaterThan(19);
    expect(rateOf(made)).toBeLessThan(21);
    const median = (values: number[]) => values.sort((a, b) => a - b)[10_000]!;
    expect(Math.abs(median(made.map((one) => one.inputTokens)) / 1000 - 1)).toBeLessThan(0.05);
    expect(Math.abs(median(made.map((one) => one.outputTokens)) / 100 - 1)).toBeLessThan(0.05);
    // Gaps of a Poisson process: their deviation is their mean.
    const gaps = made.slice(1).map((one, i) => one.arrivalMs - made[i]!.arrivalMs);
    const variance = gaps.reduce((sum, gap) => sum + (gap - 50) ** 2, 0) / gaps.length;
    expect(Math.abs(Math.sqrt(variance) / 50 - 1)).toBeLessThan(0.05);
  });

  it("has chats that go on with their own prefix, is the same for a seed, and fits its lengths", () => {
    expect(syntheticTrace("poisson:3,requests=50", 1)).toEqual(
      syntheticTrace("poisson:3,requests=50", 1),
    );
    const made = syntheticTrace("poisson:3,requests=2000,chats=0.7", 1);
    const known = new Set<number>();
    let hits = 0;
    for (const { blocks, inputTokens } of made) {
      expect(blocks.length).toBe(Math.floor(inputTokens / 512));
      if (blocks.length > 0 && known.has(blocks[0]!)) hits += 1;
      for (const block of blocks) known.add(block);
    }
    expect(hits / made.length).toBeGreaterThan(0.5);
  });

  it.each([
    ["uniform:3", /is not poisson/],
    ["poisson:0", /is not poisson/],
    ["poisson:1,requests=0", /requests must be a whole number/],
    ["poisson:1,chats=2", /chats must be a share/],
    ["poisson:1,length=2", /"length=2" is none of requests, input, output, chats/],
  ])("%s is refused", (spec, message) => expect(() => syntheticTrace(spec, 1)).toThrow(message));
});
