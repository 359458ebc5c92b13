/** The table of a simulation: policies at rate scales, with what each is judged by. */
import { seededRandom } from "../engine/prng.ts";
import { defaultSlo, type Figures, figuresOf, highestScale } from "./figures.ts";
import type { Outcome } from "./fleet.ts";
import type { EngineProfile } from "./profile.ts";
import { replay } from "./replay.ts";
import { distinctBlocks, spreadArrivals, type TraceRequest } from "./trace.ts";
import { UsageLog } from "./usage.ts";

export interface SimulateOptions {
  readonly prefill: number;
  readonly decode: number;
  readonly policies: readonly string[];
  readonly decodePolicy: string;
  readonly scales: readonly number[];
  readonly profile: EngineProfile;
  readonly seed: number;
  /** Arrivals of one tick of the trace's clock are spread over so many ms; 0 = as they are. */
  readonly spreadMs: number;
  /** Share of the trace's distinct blocks that each prefill engine's cache holds. */
  readonly cacheFraction: number;
  readonly noise: number;
  readonly slowest: number;
  /** Also searches the highest scale at which 90 % meet the SLO, over all and in each decile of input length. */
  readonly goodput: boolean;
}

export interface Row extends Figures {
  readonly policy: string;
  readonly scale: number;
  /** Rate scales; undefined = not asked for. */
  readonly goodput?: number;
  readonly fairGoodput?: number;
}

/** Share of requests that must meet the SLO. */
const goodputShare = 0.9;

/** One replay of the trace, for those who want more than figures. */
export interface Replayed {
  readonly policy: string;
  readonly scale: number;
  readonly outcomes: readonly Outcome[];
  readonly usage: UsageLog;
}

/** @param onReplay told after each replay of the trace: of those that rows are about, and of the search for goodput */
export function* simulate(
  trace: readonly TraceRequest[],
  options: SimulateOptions,
  onReplay: (replayed: Replayed) => void = () => {},
): Generator<Row> {
  const { seed, profile, scales } = options;
  const spread = spreadArrivals(trace, options.spreadMs, seededRandom(seed));
  const cacheBlocks = Math.max(1, Math.round(distinctBlocks(trace) * options.cacheFraction));
  for (const policy of options.policies) {
    const cache = new Map<number, Figures>();
    const at = (scale: number): Figures => {
      const known = cache.get(scale);
      if (known !== undefined) return known;
      const random = seededRandom(seed + 1);
      const usage = new UsageLog(options);
      const outcomes = replay({
        ...options,
        trace: spread,
        scale,
        cacheBlocks,
        random,
        usage,
        prefillPolicy: policy,
      });
      onReplay({ policy, scale, outcomes, usage });
      const figures = figuresOf(outcomes, profile, defaultSlo);
      cache.set(scale, figures);
      return figures;
    };
    const goodput = options.goodput
      ? {
          goodput: highestScale((scale) => at(scale).attained, goodputShare),
          fairGoodput: highestScale((scale) => at(scale).attainedWorst, goodputShare),
        }
      : {};
    for (const scale of scales) yield { policy, scale, ...at(scale), ...goodput };
  }
}

const columns: readonly (readonly [title: string, cell: (row: Row) => string])[] = [
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
  ["goodput", (row) => row.goodput?.toFixed(2) ?? "-"],
  ["fair goodput", (row) => row.fairGoodput?.toFixed(2) ?? "-"],
];

const whole = (ms: number) => ms.toFixed(0);
const tenth = (ms: number) => ms.toFixed(1);

export function tableOf(rows: readonly Row[]): string {
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
