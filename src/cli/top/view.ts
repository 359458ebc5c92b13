/** The page of `top` as lines of text, from what is known at one moment. */
import type { EngineReport, PoolReport } from "../../control/admin/engines.ts";
import { visibleIn } from "../../observe/visible.ts";
import { duration, short } from "../admin/columns.ts";
import { stateText } from "../commands/fleet.ts";
import type { Rates, Sample } from "./sample.ts";

/** By the keys that choose them. */
export const sortings = {
  l: { name: "load", of: ({ inFlight }: EngineReport) => -inFlight },
  t: {
    name: "tokens",
    of: ({ promptTokens, answerTokens }: EngineReport) => -promptTokens - answerTokens,
  },
  k: { name: "KV", of: ({ kvUse = 0, kvOpen }: EngineReport) => -kvUse * 1e6 - kvOpen },
  f: { name: "failures", of: ({ failures }: EngineReport) => -failures },
  n: { name: "name", of: () => 0 },
} as const;
export type SortKey = keyof typeof sortings;

export interface View {
  readonly origin: string;
  readonly sample: Sample;
  /** Undefined = this is the first sample. */
  readonly rates: Rates | undefined;
  readonly sortKey: SortKey;
  readonly columns: number;
  /** Lines that fit; the rest is left out. */
  readonly rows: number;
  readonly hasColours: boolean;
}

/** So few that 80 columns show an engine of 16 characters up to its failures. */
const barCells = 8;

export function linesOf(view: View): string[] {
  const { origin, sample, rates, sortKey, columns, rows, hasColours } = visibleIn(view);
  const lines = [
    `global-proxy top  ${origin}  ${new Date(sample.atMs).toISOString().slice(11, 19)}`,
    ratesLine(rates),
    "",
    ...sample.pools.flatMap((pool) => poolLines(pool, sortKey, hasColours)),
  ];
  const keys = Object.entries(sortings).map(([key, { name }]) => `${key} ${name}`);
  const footer = `sort: ${keys.join("  ")}  (now ${sortings[sortKey].name})   q quit`;
  const fits = lines.length + 1 <= rows ? lines : [...lines.slice(0, rows - 2), "…"];
  return [...fits, footer].map((line) => cut(line, columns));
}

function ratesLine(rates: Rates | undefined): string {
  if (rates === undefined) return "measuring …";
  const { requestsPerSecond, failedPerSecond, outputTokensPerSecond, ttftMs, tpotMs } = rates;
  const parts = [
    `${requestsPerSecond.toFixed(1)} requests/s`,
    `${failedPerSecond.toFixed(1)} failed/s`,
    `${short(outputTokensPerSecond)} tokens/s`,
    `TTFT ${duration(ttftMs) || "-"}`,
    `TPOT ${tpotMs === undefined ? "-" : `${tpotMs.toFixed(1)} ms`}`,
  ];
  return parts.join("   ");
}

function poolLines(
  { pool, policy, waiting, engines }: PoolReport,
  sortKey: SortKey,
  hasColours: boolean,
): string[] {
  const queue = waiting === undefined ? "" : `  ${waiting} waiting`;
  const sorted = engines.toSorted(
    (a, b) => sortings[sortKey].of(a) - sortings[sortKey].of(b) || a.engine.localeCompare(b.engine),
  );
  const width = Math.max(6, ...engines.map(({ engine }) => engine.length));
  const heading = [
    `  ${"engine".padEnd(width)}`,
    "state".padEnd(22),
    "in flight".padEnd(barCells + 5),
    "tokens   KV  failures  first byte",
  ].join("  ");
  const most = Math.max(1, ...engines.map(({ inFlight }) => inFlight));
  const rows = sorted.map((one) => {
    const state = coloured(stateText(one).padEnd(22), one.state, hasColours);
    const load = `${bar(one.inFlight / most)} ${`${one.inFlight}`.padStart(4)}`;
    const tokens = short(one.promptTokens + one.answerTokens).padStart(6);
    const kv = (
      one.kvUse === undefined ? `${one.kvOpen}` : `${Math.round(one.kvUse * 100)}%`
    ).padStart(4);
    const first = (duration(one.firstByteMs) || "-").padStart(10);
    const numbers = `${tokens} ${kv}  ${`${one.failures}`.padStart(8)}  ${first}`;
    return `  ${one.engine.padEnd(width)}  ${state}  ${load}  ${numbers}`;
  });
  return [`${pool}  ${policy}${queue}`, heading, ...rows, ""];
}

/** @param share of 1 */
function bar(share: number): string {
  const full = Math.round(Math.min(1, share) * barCells);
  return "█".repeat(full) + "·".repeat(barCells - full);
}

const colours: Readonly<Record<string, string>> = {
  healthy: "32",
  degraded: "33",
  starting: "36",
  draining: "36",
  ejected: "31",
  down: "31",
};

function coloured(text: string, state: string, hasColours: boolean): string {
  return hasColours ? `\u001b[${colours[state] ?? "0"}m${text}\u001b[0m` : text;
}

/** Cuts at a width that does not count colours. */
function cut(line: string, columns: number): string {
  let left = columns;
  let text = "";
  for (const part of line.split(/(\u001b\[\d+m)/)) {
    if (part.startsWith("\u001b")) text += part;
    else {
      text += part.slice(0, left);
      left -= Math.min(left, part.length);
    }
  }
  return text;
}
