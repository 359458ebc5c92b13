/** The report of a simulation: one HTML file without external parts, to be read, kept and sent. */
import { scaleText } from "../results/result-table.ts";
import type { PolicyResult, Replayed } from "../simulate.ts";
import {
  duration,
  elapsed,
  escapeHtml,
  linear,
  logarithmic,
  percent,
  shortNumber,
} from "./axis.ts";
import { barFigure } from "./bar-plot.ts";
import { figure } from "./frame.ts";
import { heatMap } from "./heat-map.ts";
import { type Line, linePlot } from "./line-plot.ts";
import { type Series, seriesOf } from "./series.ts";
import { styleSheet } from "./style.ts";
import { tableHtml } from "./table.ts";

/** What was simulated and how, as names and values. */
export type Conditions = readonly (readonly [name: string, value: string])[];

/** The number of a policy's colour. */
type Colors = (policy: string) => number;

export class Report {
  readonly #scales: readonly number[];
  readonly #rows: PolicyResult[] = [];
  readonly #series: Series[] = [];

  /** @param scales only replays at these are shown, not those of a search for goodput */
  constructor(scales: readonly number[]) {
    this.#scales = scales;
  }

  replayed(replayed: Replayed): void {
    if (this.#scales.includes(replayed.scale)) this.#series.push(seriesOf(replayed));
  }

  row(row: PolicyResult): void {
    this.#rows.push(row);
  }

  html(title: string, conditions: Conditions): string {
    const policies = [...new Set(this.#rows.map(({ policy }) => policy))];
    const colorOf = (policy: string) => policies.indexOf(policy);
    const legend = policies.map(
      (policy, i) =>
        `<li class="c${i}"><svg viewBox="0 0 22 8"><path class="line c${i}" d="M0 4H22"/></svg>` +
        `${escapeHtml(policy)}</li>`,
    );
    const list = conditions.map(([name, value]) => `<dt>${name}</dt><dd>${escapeHtml(value)}</dd>`);
    return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>${styleSheet(policies.length)}</style></head>
<body><main>
<h1>${escapeHtml(title)}</h1>
<p>Replayed in virtual time: the proxy's policies on modelled engines.</p>
<dl>${list.join("\n")}</dl>
<ul class="legend">${legend.join("")}</ul>
<h2>Metrics</h2>
${tableHtml(this.#rows)}
${this.#sections(colorOf).join("\n")}
</main></body></html>
`;
  }

  #sections(colorOf: Colors): string[] {
    const overall = this.#overall(colorOf);
    const scales = this.#scales;
    if (scales.length === 1) return this.#scale(scales[0]!, "", overall, colorOf);
    return [
      section("How much is served", overall),
      ...scales.flatMap((scale) =>
        this.#scale(scale, ` at ${scale} times the trace's rate`, [], colorOf),
      ),
    ];
  }

  #overall(colorOf: Colors): readonly string[] {
    const rows = this.#rows.filter(({ scale }) => scale === this.#scales[0]);
    const bars = (all: (row: PolicyResult) => number, worst: (row: PolicyResult) => number) =>
      rows.map((row) => ({
        name: row.policy,
        color: colorOf(row.policy),
        all: all(row),
        worst: worst(row),
      }));
    const goodput = rows.every(({ goodput }) => goodput !== undefined)
      ? [
          barFigure(
            "Goodput",
            "Highest rate scale at which enough requests meet the SLO; pale: also in every decile of input length.",
            bars(
              (row) => row.goodput!,
              (row) => row.fairGoodput!,
            ),
            scaleText,
          ),
        ]
      : [];
    const attained =
      this.#scales.length > 1
        ? this.#byScale(colorOf)
        : barFigure(
            "Requests that meet the SLO",
            "Share of all requests; pale: in the worst decile of input length.",
            bars(
              (row) => row.attained,
              (row) => row.attainedWorst,
            ),
            percent,
          );
    return [...goodput, attained];
  }

  #byScale(colorOf: Colors): string {
    const policies = new Set(this.#rows.map(({ policy }) => policy));
    const lines = [...policies].map((policy): Line => {
      const points = this.#rows
        .filter((row) => row.policy === policy)
        .map((row) => [row.scale, row.attained] as const)
        .sort(([a], [b]) => a - b);
      return { name: policy, color: colorOf(policy), points, hasMarks: true };
    });
    const x = linear(Math.min(...this.#scales), Math.max(...this.#scales));
    return figure(
      "Requests that meet the SLO",
      "Share of all requests at each rate scale.",
      linePlot(
        lines,
        { axis: x, title: "rate, relative to the trace's", format: shortNumber },
        { axis: linear(0, 1), title: "", format: percent },
      ),
    );
  }

  #scale(scale: number, at: string, first: readonly string[], colorOf: Colors): string[] {
    const series = this.#series.filter((one) => one.scale === scale && one.ttft.length > 0);
    if (series.length === 0) return [];
    return [
      section(`Plots${at}`, [
        ...first,
        firstTokens(series, colorOf),
        byLength(series, colorOf),
        hitRates(series, colorOf),
      ]),
      section(
        `What each engine did${at}`,
        series.map(heatMap),
        "A row for each engine: the stronger its colour, the more of its time (prefill) or of its KV " +
          "cache (decode) was in use.",
      ),
    ];
  }
}

function firstTokens(series: readonly Series[], colorOf: Colors): string {
  const all = series.flatMap(({ ttft }) => [ttft[0]![0], ttft.at(-1)![0]]);
  const x = logarithmic(Math.max(1, Math.min(...all)), Math.max(...all));
  return figure(
    "Time to the first token",
    "Share of requests whose first token had arrived by then. Further left is better.",
    linePlot(
      series.map((one) => ({
        name: one.policy,
        color: colorOf(one.policy),
        points: one.ttft,
      })),
      { axis: x, title: "TTFT", format: duration },
      { axis: linear(0, 1), title: "", format: percent },
    ),
  );
}

function byLength(series: readonly Series[], colorOf: Colors): string {
  const all = series.flatMap(({ deciles }) => deciles.flatMap((one) => [one.p50Ms, one.p90Ms]));
  const { deciles } = series[0]!;
  const lines = series.flatMap((one): Line[] => [
    {
      name: `${one.policy}, median`,
      color: colorOf(one.policy),
      points: one.deciles.map(({ p50Ms }, i) => [i, p50Ms]),
      isDashed: true,
    },
    {
      name: one.policy,
      color: colorOf(one.policy),
      points: one.deciles.map(({ p90Ms }, i) => [i, p90Ms]),
      hasMarks: true,
    },
  ]);
  const places = { ticks: deciles.map((_, i) => i), at: (i: number) => (i + 0.5) / deciles.length };
  return figure(
    "TTFT by length of the prompt",
    "90th percentile in each tenth of the requests, from the shortest prompts to the longest; dashed: median.",
    linePlot(
      lines,
      {
        axis: places,
        title: "prompts of up to so many tokens",
        format: (i) => shortNumber(deciles[i]?.toTokens ?? 0),
      },
      {
        axis: logarithmic(Math.max(1, Math.min(...all)), Math.max(...all)),
        title: "",
        format: duration,
      },
    ),
  );
}

function hitRates(series: readonly Series[], colorOf: Colors): string {
  const lastMs = Math.max(...series.flatMap(({ hits }) => hits.map(([ms]) => ms)));
  const most = Math.max(0.1, ...series.flatMap(({ hits }) => hits.map(([, share]) => share)));
  return figure(
    "Prefix-cache hits",
    "Cached share of the prompt tokens, by the time of their arrival.",
    linePlot(
      series.map((one) => ({ name: one.policy, color: colorOf(one.policy), points: one.hits })),
      { axis: elapsed(lastMs), title: "time", format: duration },
      { axis: linear(0, Math.min(1, most * 1.1)), title: "", format: percent },
    ),
  );
}

function section(heading: string, plots: readonly string[], note = ""): string {
  const said = note === "" ? "" : `<p>${escapeHtml(note)}</p>`;
  return `<h2>${escapeHtml(heading)}</h2>${said}\n<div class="plots">${plots.join("")}</div>`;
}
