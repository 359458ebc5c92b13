/** A report stands alone, shows every policy, and is as true as the replay that it shows, whatever the trace. */
import { expect, it } from "vitest";
import { Utilization } from "../../src/lab/model/utilization.ts";
import { dense70b } from "../../src/lab/profile.ts";
import { elapsed, linear, logarithmic } from "../../src/lab/report/axis.ts";
import { conditionsOf } from "../../src/lab/report/conditions.ts";
import { Report } from "../../src/lab/report/page.ts";
import { seriesOf } from "../../src/lab/report/series.ts";
import { type Replayed, type SimulateOptions, simulate } from "../../src/lab/simulate.ts";
import type { TraceRequest } from "../../src/lab/traces/trace.ts";

const options: SimulateOptions = {
  prefill: 2,
  decode: 2,
  policies: ["least_bytes", "predictive"],
  decodePolicy: "least_bytes",
  scales: [1],
  profile: dense70b,
  seed: 1,
  spreadMs: 0,
  cacheFraction: 0.5,
  noise: 0,
  slowest: 1,
  goodput: false,
};
const trace = Array.from(
  { length: 40 },
  (_, i): TraceRequest => ({
    arrivalMs: i * 150,
    inputTokens: 600 + 50 * i,
    outputTokens: 1 + i,
    blocks: [i % 4],
  }),
);

function reportOf(requests: readonly TraceRequest[], changes: Partial<SimulateOptions> = {}) {
  const changed = { ...options, ...changes };
  const report = new Report(changed.scales);
  const replays: Replayed[] = [];
  const onReplay = (replayed: Replayed) => {
    replays.push(replayed);
    report.replayed(replayed);
  };
  for (const row of simulate(requests, changed, onReplay)) report.row(row);
  return { html: report.html("a <trace>", conditionsOf(requests, changed)), replays };
}

it("a report asks the network for nothing and runs no script", () => {
  const { html } = reportOf(trace, { goodput: true });
  expect(html).not.toMatch(/https?:|\bsrc=|\bhref=|@import|url\(|<script/i);
  expect(html).toContain("a &#60;trace&#62;");
});

it("each plot shows each policy", () => {
  const { html } = reportOf(trace, { scales: [1, 4], goodput: true });
  const plots = html.split("<figure>").slice(1);
  const headings = plots.map((one) => /<h3>([^<]*)/.exec(one)![1]);
  const perScale = ["Time to the first token", "TTFT by length of the prompt", "Prefix-cache hits"];
  const each = [...perScale, ...options.policies];
  expect(headings).toEqual(["Goodput", "Requests that meet the SLO", ...each, ...each]);
  for (const one of plots.filter((_, i) => !options.policies.includes(headings[i]!))) {
    for (const policy of options.policies) expect(one).toContain(policy);
  }
});

it("no plot has a place that is no number, of whatever trace", () => {
  const one = { arrivalMs: 0, inputTokens: 1, outputTokens: 1, blocks: [] };
  for (const requests of [[one], [one, one], trace]) {
    for (const engines of [1, 70]) {
      const { html } = reportOf(requests, { prefill: engines, decode: engines });
      expect(html).not.toMatch(/NaN|Infinity|undefined/);
    }
  }
});

it("a report of many engines and requests stays small", () => {
  const many = Array.from({ length: 3000 }, (_, i) => ({ ...trace[i % 40]!, arrivalMs: i * 30 }));
  const { html } = reportOf(many, { prefill: 200, decode: 100 });
  expect(html.length).toBeLessThan(2_000_000);
});

it("what engines are shown to have done is the work that they had", () => {
  const { replays } = reportOf(trace, { policies: ["predictive"] });
  const { prefill, endMs } = seriesOf(replays[0]!);
  const shownMs = prefill.flat().reduce((sum, share) => sum + (share * endMs) / 120, 0);
  let workMs = 0;
  for (const { request, cachedTokens } of replays[0]!.outcomes) {
    const perTokenMs = dense70b.prefillTokenMs + dense70b.prefillPairMs * request.inputTokens;
    workMs += dense70b.prefillBaseMs + perTokenMs * (request.inputTokens - cachedTokens);
  }
  expect(shownMs).toBeCloseTo(workMs, 3);
});

it("a stretch of time is shared out over the parts that it touches", () => {
  const log = new Utilization({ prefill: 1, decode: 1 });
  log.add("prefill", 0, 5, 25, 1);
  log.add("prefill", 0, 30, 99, 0.5);
  expect(log.shares("prefill", 4, 40)).toEqual([[0.5, 1, 0.5, 0.5]]);
  expect(log.shares("decode", 2, 40)).toEqual([[0, 0]]);
});

it("ticks are round numbers within the axis", () => {
  expect(linear(0, 1).ticks.map((tick) => tick.toFixed(1))).toEqual([
    "0.0",
    "0.2",
    "0.4",
    "0.6",
    "0.8",
    "1.0",
  ]);
  expect(logarithmic(30, 40_000).ticks).toEqual([100, 1000, 10_000]);
  expect(logarithmic(3, 60).ticks).toEqual([5, 10, 20, 50]);
  expect(elapsed(3_540_000).ticks).toEqual([
    0, 600_000, 1_200_000, 1_800_000, 2_400_000, 3_000_000,
  ]);
  expect(linear(5, 5).at(5)).toBe(0);
});
