/** The last minutes: times, rates and what is under way, with one cursor over all of them. */
import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import type { PointField } from "../../src/control/admin/dashboard/messages.ts";
import { columnsOf } from "../model/points.ts";
import type { PageState } from "../model/state.ts";
import { clockText, durationText, numberText } from "../model/words.ts";
import { onTheme } from "./theme.ts";

interface Series {
  readonly field: PointField;
  readonly label: string;
  /** Of the style sheet. */
  readonly color: string;
  readonly isFilled?: boolean;
}

interface ChartDefinition {
  readonly title: string;
  readonly text: (value: number) => string;
  /** There are no halves of what it counts. */
  readonly isWhole?: true;
  readonly series: readonly Series[];
}

const rate = (value: number) => numberText(Math.round(value * 10) / 10);

const charts: readonly ChartDefinition[] = [
  {
    title: "First token",
    text: durationText,
    series: [
      { field: "firstToken50", label: "median", color: "--line-1", isFilled: true },
      { field: "firstToken95", label: "95 %", color: "--line-2" },
    ],
  },
  {
    title: "Between tokens",
    text: durationText,
    series: [
      { field: "interToken50", label: "median", color: "--line-1", isFilled: true },
      { field: "interToken95", label: "95 %", color: "--line-2" },
    ],
  },
  {
    title: "Phases, 95 %",
    text: durationText,
    series: [
      { field: "queue95", label: "queue", color: "--queue" },
      { field: "prefill95", label: "prefill", color: "--prefill" },
      { field: "transfer95", label: "transfer", color: "--transfer" },
    ],
  },
  {
    title: "Requests per second",
    text: rate,
    series: [
      { field: "requests", label: "ended", color: "--line-1", isFilled: true },
      { field: "failed", label: "failed", color: "--bad" },
    ],
  },
  {
    title: "Tokens per second",
    text: rate,
    series: [
      { field: "outputTokens", label: "output", color: "--decode", isFilled: true },
      { field: "promptTokens", label: "prompt", color: "--prefill" },
    ],
  },
  {
    title: "Under way",
    isWhole: true,
    text: (value) => numberText(Math.round(value)),
    series: [
      { field: "prefilling", label: "prefill", color: "--prefill" },
      { field: "decoding", label: "decode", color: "--decode", isFilled: true },
      { field: "waiting", label: "waiting", color: "--warn" },
    ],
  },
];

const spans = [1, 5, 15] as const;

export function Charts({ state }: { readonly state: PageState }) {
  const [minutes, setMinutes] = useState<number>(15);
  const [cursor, setCursor] = useState<number | undefined>(undefined);
  if (state.fleet !== undefined && !state.fleet.countsRequests) {
    return (
      <section class="card" aria-labelledby="charts-title">
        <h2 id="charts-title">Over time</h2>
        <p class="empty">Requests are not counted: metrics.enabled is off.</p>
      </section>
    );
  }
  return (
    <section aria-labelledby="charts-title">
      <div class="section-head">
        <h2 id="charts-title">Over time</h2>
        <fieldset class="segments">
          <legend class="hidden">Minutes that are shown</legend>
          {spans.map((span) => (
            <button
              key={span}
              type="button"
              aria-pressed={span === minutes}
              onClick={() => setMinutes(span)}
            >
              {span} min
            </button>
          ))}
        </fieldset>
      </div>
      <div class="charts">
        {charts.map((chart) => (
          <Chart key={chart.title} {...{ chart, state, minutes, cursor, setCursor }} />
        ))}
      </div>
    </section>
  );
}

interface ChartProps {
  readonly chart: ChartDefinition;
  readonly state: PageState;
  readonly minutes: number;
  /** The point that the pointer is at; undefined = at none. */
  readonly cursor: number | undefined;
  readonly setCursor: (index: number | undefined) => void;
}

const wholeSteps = [1, 10, 100, 1_000, 10_000].flatMap((step) => [step, 2 * step, 5 * step]);
const heightPx = 132;

function Chart({ chart, state, minutes, cursor, setCursor }: ChartProps) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const points = state.points.slice(-minutes * 60);
  const data = columnsOf(
    points,
    chart.series.map(({ field }) => field),
  );
  const latest = useRef(data);
  latest.current = data;
  useEffect(() => {
    const element = place.current!;
    const make = () => {
      plot.current?.destroy();
      const width = Math.max(120, element.clientWidth);
      plot.current = new uPlot(
        options(chart, width, (name) => colorIn(element, name), setCursor),
        latest.current as uPlot.AlignedData,
        element,
      );
    };
    make();
    const resize = new ResizeObserver(() =>
      plot.current?.setSize({ width: Math.max(120, element.clientWidth), height: heightPx }),
    );
    resize.observe(element);
    const offTheme = onTheme(make);
    return () => {
      offTheme();
      resize.disconnect();
      plot.current?.destroy();
    };
  }, [chart]);
  useEffect(() => plot.current?.setData(data as uPlot.AlignedData), [points.at(-1), minutes]);
  const at = cursor !== undefined && cursor < points.length ? cursor : points.length - 1;
  const valueAt = (index: number) => data[index + 1]?.[at] ?? null;
  const values = chart.series.map(({ label }, index) => {
    const value = valueAt(index);
    return { label, text: value === null ? "–" : chart.text(value) };
  });
  const summary = values.map(({ label, text }) => `${label} ${text}`).join(", ");
  return (
    <figure class="card chart">
      <figcaption>
        <h3>{chart.title}</h3>
        <span class="at">{cursor !== undefined && points[at] && clockText(points[at][0]!)}</span>
        <ul>
          {values.map(({ label, text }, index) => (
            <li key={label}>
              <i style={{ background: `var(${chart.series[index]!.color})` }} />
              {label} <b>{text}</b>
            </li>
          ))}
        </ul>
      </figcaption>
      <div ref={place} class="plot" role="img" aria-label={`${chart.title}: ${summary}`} />
    </figure>
  );
}

/** A colour of the style sheet as `rgb(…)`: canvases do not know what a variable may be, such as `light-dark(…)`. */
function colorIn(element: HTMLElement, name: string): string {
  element.style.color = `var(${name})`;
  const { color } = getComputedStyle(element);
  element.style.color = "";
  return color;
}

function options(
  chart: ChartDefinition,
  width: number,
  color: (name: string) => string,
  setCursor: ChartProps["setCursor"],
): uPlot.Options {
  const quiet = color("--quiet");
  const font = "11px system-ui, sans-serif";
  const axis = { stroke: quiet, font, ticks: { show: false } };
  return {
    width,
    height: heightPx,
    legend: { show: false },
    padding: [8, 18, 0, 0],
    cursor: { sync: { key: "charts" }, points: { size: 5 }, drag: { x: false, y: false } },
    scales: { y: { range: (_, __, most) => [0, Math.max((most ?? 0) * 1.15, 1)] } },
    axes: [
      {
        ...axis,
        grid: { show: false },
        space: 70,
        size: 22,
        values: (_, splits) => {
          const isShort = splits.length > 1 && splits[1]! - splits[0]! < 60;
          return splits.map((at) => clockText(at * 1_000).slice(0, isShort ? 8 : 5));
        },
      },
      {
        ...axis,
        grid: { stroke: color("--rule"), width: 1 },
        space: 32,
        ...(chart.isWhole && { incrs: wholeSteps }),
        size: 54,
        values: (_, splits) => splits.map((value) => (value === 0 ? "0" : chart.text(value))),
      },
    ],
    series: [
      {},
      ...chart.series.map(({ color: name, isFilled = false }) => ({
        stroke: color(name),
        width: 1.5,
        spanGaps: true,
        points: { show: false },
        ...(isFilled && { fill: color(name).replace(/^rgb\((.*)\)$/, "rgba($1, 0.13)") }),
      })),
    ],
    hooks: { setCursor: [({ cursor: { idx } }) => setCursor(idx ?? undefined)] },
  };
}
