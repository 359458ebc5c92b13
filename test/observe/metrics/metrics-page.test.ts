/** The page of metrics is made from their definitions, and each is defined once. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { metricGroups } from "../../../src/observe/metrics/definitions.ts";
import { metricsPage } from "../../../src/observe/metrics/metrics-page.ts";

const page = readFileSync(new URL("../../../docs/metrics.md", import.meta.url), "utf8");

test("docs/metrics.md is what the definitions make it: npm run docs", () => {
  expect(page).toBe(metricsPage(page));
});

test("no metric is defined twice, and buckets rise", () => {
  const all = metricGroups.flatMap(({ metrics }) => metrics);
  const names = all.flatMap(({ name, vllmName }) => [name, ...(vllmName ? [vllmName] : [])]);
  expect(new Set(names).size).toBe(names.length);
  for (const { type, buckets = [] } of all) {
    expect(buckets.length > 0).toBe(type === "histogram");
    expect([...buckets].sort((a, b) => a - b)).toEqual(buckets);
  }
});
