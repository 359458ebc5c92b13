/** The report's table: a row for each policy and scale, the best of each scale in bold. */
import { scaleText } from "../results/result-table.ts";
import type { PolicyResult } from "../simulate.ts";
import { duration, escapeHtml } from "./axis.ts";

interface Column {
  readonly title: string;
  readonly value: (row: PolicyResult) => number | undefined;
  readonly format: (value: number) => string;
  /** Which end of the values is good; undefined = neither. */
  readonly best?: "least" | "most";
}

const count = (value: number) => String(value);
const share = (value: number) => value.toFixed(3);
const perToken = (ms: number) => `${ms.toFixed(1)} ms`;

const columns: readonly Column[] = [
  { title: "scale", value: (row) => row.scale, format: count },
  { title: "completed", value: (row) => row.completed, format: count },
  { title: "refused", value: (row) => row.refused, format: count },
  { title: "TTFT p50", value: (row) => row.ttftMs.p50, format: duration, best: "least" },
  { title: "p90", value: (row) => row.ttftMs.p90, format: duration, best: "least" },
  { title: "p99", value: (row) => row.ttftMs.p99, format: duration, best: "least" },
  { title: "TPOT p50", value: (row) => row.tpotMs.p50, format: perToken, best: "least" },
  { title: "p99", value: (row) => row.tpotMs.p99, format: perToken, best: "least" },
  { title: "hit rate", value: (row) => row.hitRate, format: share, best: "most" },
  { title: "Jain", value: (row) => row.jain, format: share, best: "most" },
  { title: "in SLO", value: (row) => row.attained, format: share, best: "most" },
  { title: "worst decile", value: (row) => row.attainedWorst, format: share, best: "most" },
  { title: "goodput", value: (row) => row.goodput, format: scaleText, best: "most" },
  { title: "fair", value: (row) => row.fairGoodput, format: scaleText, best: "most" },
];

export function tableHtml(rows: readonly PolicyResult[]): string {
  const shown = columns.filter(({ value }) => rows.some((row) => value(row) !== undefined));
  const head = ["policy", ...shown.map(({ title }) => title)].map((title) => `<th>${title}</th>`);
  const lines = rows.map((row) => {
    const peers = rows.filter((other) => other.scale === row.scale);
    const cells = shown.map((column) => cell(column, row, peers));
    return `<tr><td>${escapeHtml(row.policy)}</td>${cells.join("")}</tr>`;
  });
  const header = `<thead><tr>${head.join("")}</tr></thead>`;
  return `<div class="wide"><table>${header}<tbody>${lines.join("\n")}</tbody></table></div>\n`;
}

function cell(
  { value, format, best }: Column,
  row: PolicyResult,
  peers: readonly PolicyResult[],
): string {
  const own = value(row);
  if (own === undefined) return "<td>-</td>";
  const all = peers.map((peer) => value(peer) ?? own);
  const isBest = peers.length > 1 && best !== undefined && own === bestOf(all, best);
  return `<td${isBest ? ' class="best"' : ""}>${format(own)}</td>`;
}

function bestOf(values: readonly number[], best: "least" | "most"): number {
  return best === "least" ? Math.min(...values) : Math.max(...values);
}
