/** The page of `top`: figures that are wrong or lines that wrap would mislead who looks in haste. */
import { expect, test } from "vitest";
import { countersOf, ratesBetween, type Sample } from "../../../src/cli/top/sample.ts";
import { linesOf, type View } from "../../../src/cli/top/view.ts";
import type { EngineReport } from "../../../src/control/admin/engines.ts";

const metrics = (requests: number, failed: number, sum: number, count: number) => `
# TYPE global_proxy_requests_total counter
global_proxy_requests_total{route="/",model="m",outcome="GP_OK",status="200"} ${requests}
global_proxy_requests_total{route="/",model="m",outcome="GP_QUEUE_FULL",status="503"} ${failed}
global_proxy_time_to_first_token_seconds_bucket{le="1"} ${count}
global_proxy_time_to_first_token_seconds_sum{route="/"} ${sum}
global_proxy_time_to_first_token_seconds_count{route="/"} ${count}
global_proxy_output_tokens_total{source="usage"} ${requests * 10}
`;
const engine = (name: string, more: Partial<EngineReport> = {}): EngineReport => ({
  engine: name,
  state: "healthy",
  weight: 1,
  inFlight: 0,
  promptBytes: 0,
  promptTokens: 0,
  answerTokens: 0,
  failures: 0,
  cache: "blind",
  kvOpen: 0,
  sources: ["configuration"],
  ...more,
});
const sample = (atMs: number, text: string, engines: EngineReport[] = []): Sample => ({
  atMs,
  pools: [{ pool: "prefill", policy: "least_conn", waiting: 3, engines }],
  counters: countersOf(text),
});
const view = (engines: EngineReport[], more: Partial<View> = {}): View => ({
  origin: "http://127.0.0.1:9901",
  sample: sample(0, "", engines),
  rates: undefined,
  sortKey: "l",
  columns: 120,
  rows: 40,
  hasColours: false,
  ...more,
});
const order = (lines: readonly string[]) =>
  lines.flatMap((line) => /^ {2}([ab]:\d)/.exec(line)?.[1] ?? []);

test("rates are those of the time between two looks, and a new process counts from zero", () => {
  const before = sample(1_000, metrics(10, 1, 5, 10));
  const now = sample(3_000, metrics(30, 2, 9, 12));
  const rates = ratesBetween(before, now);
  expect(rates).toMatchObject({ requestsPerSecond: 10.5, failedPerSecond: 0.5, ttftMs: 2_000 });
  expect(rates).toMatchObject({ outputTokensPerSecond: 100, tpotMs: undefined });
  expect(ratesBetween(now, before)).toMatchObject({ requestsPerSecond: 0, ttftMs: undefined });
});

test("the key that was pressed decides the order of engines, the largest first", () => {
  const engines = [engine("a:1", { inFlight: 1, failures: 9 }), engine("b:1", { inFlight: 4 })];
  expect(order(linesOf(view(engines)))).toEqual(["b:1", "a:1"]);
  expect(order(linesOf(view(engines, { sortKey: "f" })))).toEqual(["a:1", "b:1"]);
  expect(order(linesOf(view(engines, { sortKey: "n" })))).toEqual(["a:1", "b:1"]);
});

test("no line is wider and no page longer than the terminal, with colours or without", () => {
  const engines = Array.from({ length: 30 }, (_, i) =>
    engine(`a:${i}`, { state: "ejected", why: "failing" }),
  );
  for (const hasColours of [false, true]) {
    const lines = linesOf(view(engines, { columns: 40, rows: 12, hasColours }));
    expect(lines).toHaveLength(12);
    expect(lines.at(-1)).toContain("sort:");
    for (const line of lines)
      expect(line.replaceAll(/\u001b\[\d+m/g, "").length).toBeLessThanOrEqual(40);
  }
  expect(linesOf(view(engines, { rows: 200 })).join("\n")).toContain("ejected (failing)");
});

test("80 columns show each engine up to its failures", () => {
  const lines = linesOf(view([engine("127.0.0.1:18102", { failures: 77 })], { columns: 80 }));
  expect(lines.find((line) => line.includes("127.0.0.1:18102"))).toMatch(/ 77(\s|$)/);
});
