/** `docs/metrics.md`, from the definitions. */
import { withGeneratedPart } from "../../config/docs/generated-part.ts";
import { code, table } from "../../config/docs/markdown.ts";
import { durationBuckets, lagBuckets, tokenBuckets } from "./buckets.ts";
import type { Metric } from "./definition.ts";
import { metricGroups } from "./definitions.ts";

/** The page with its tables made anew. */
export function metricsPage(page: string): string {
  const parts = [
    ...metricGroups.map(({ name, metrics }) => [name, metricsTable(metrics)] as const),
    ["vllm", vllmTable()] as const,
    ["buckets", bucketsTable()] as const,
  ];
  return parts.reduce((text, [name, part]) => withGeneratedPart(text, name, part), page);
}

function metricsTable(metrics: readonly Metric[]): string {
  const rows = metrics.map(({ name, type, labels, help }) => [
    code(name),
    type,
    labels.map(code).join(", "),
    help,
  ]);
  return table(["metric", "type", "labels", "what"], rows);
}

function vllmTable(): string {
  const all = metricGroups.flatMap(({ metrics }) => metrics);
  const rows = all.flatMap(({ name, vllmName }) =>
    vllmName === undefined ? [] : [[code(vllmName), code(name)]],
  );
  return table(["vLLM's name", "the same as"], rows);
}

function bucketsTable(): string {
  return table(
    ["of", "upper bounds in seconds"],
    [
      ["durations", durationBuckets.join(", ")],
      ["times between tokens", tokenBuckets.join(", ")],
      ["event loops", lagBuckets.join(", ")],
    ],
  );
}
