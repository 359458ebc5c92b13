/** The results of a simulation as a table for a terminal, and as JSON. */
import type { PolicyResult } from "../simulate.ts";
import { type Column, textTable } from "./text-table.ts";

const columns: readonly Column<PolicyResult>[] = [
  ["policy", (row) => row.policy],
  ["scale", (row) => String(row.scale)],
  ["completed", (row) => String(row.completed)],
  ["refused", (row) => String(row.refused)],
  ["TTFT p50/p90/p99 ms", ({ ttftMs: t }) => [t.p50, t.p90, t.p99].map(whole).join(" / ")],
  ["TPOT p50/p90/p99 ms", ({ tpotMs: t }) => [t.p50, t.p90, t.p99].map(tenth).join(" / ")],
  ["hit rate", (row) => row.hitRate.toFixed(3)],
  ["Jain", (row) => row.jain.toFixed(3)],
  ["in SLO", (row) => row.attained.toFixed(3)],
  ["worst decile", (row) => row.attainedWorst.toFixed(3)],
  ["goodput", (row) => scaleText(row.goodput)],
  ["fair goodput", (row) => scaleText(row.fairGoodput)],
];

const whole = (ms: number) => ms.toFixed(0);
const tenth = (ms: number) => ms.toFixed(1);

/** A rate scale with two decimals; with two significant digits if it is so small that these would be 0. */
export function scaleText(scale: number | undefined): string {
  if (scale === undefined) return "-";
  return scale > 0 && scale < 0.02 ? scale.toPrecision(2) : scale.toFixed(2);
}

export function resultTable(rows: readonly PolicyResult[]): string {
  return textTable(rows, columns);
}

/** The public form of a result, as `--json` prints it. */
export function resultJson(row: PolicyResult): object {
  const { policy, scale, completed, refused, ttftMs, tpotMs, hitRate, jain } = row;
  const { goodput = null, fairGoodput = null } = row;
  return {
    policy,
    scale,
    completed,
    refused,
    ttftMs,
    tpotMs,
    hitRate,
    jain,
    goodput,
    fairGoodput,
  };
}
