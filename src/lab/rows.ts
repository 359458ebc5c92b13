/** Rows of a simulation as a table for a terminal, and as JSON. */
import type { Row } from "./simulate.ts";

type Column<T> = readonly [title: string, cell: (row: T) => string];

const columns: readonly Column<Row>[] = [
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

/** A rate scale as people read it; of a fleet that is far too small for the trace, all that is left of it. */
export function scaleText(scale: number | undefined): string {
  if (scale === undefined) return "-";
  return scale > 0 && scale < 0.02 ? scale.toPrecision(2) : scale.toFixed(2);
}

export function tableOf(rows: readonly Row[]): string {
  return textTable(rows, columns);
}

export function textTable<T>(rows: readonly T[], columns: readonly Column<T>[]): string {
  const lines = [columns.map(([title]) => title), ...rows.map((r) => columns.map(([, c]) => c(r)))];
  const widths = columns.map((_, i) => Math.max(...lines.map((line) => line[i]!.length)));
  return lines
    .map(
      (line) =>
        `${line
          .map((cell, i) => cell.padEnd(widths[i]!))
          .join("  ")
          .trimEnd()}\n`,
    )
    .join("");
}

/** The public form of a row, as `--json` prints it. */
export function jsonOf(row: Row): object {
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
