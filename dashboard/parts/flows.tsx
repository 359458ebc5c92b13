/** The lines of the fleet's picture: requests that come, go from prefill to decode, and leave as tokens. */
import type { EngineFlow } from "../../src/proxy/worker/engine-flows.ts";
import { type FleetColumn, flowsBetween } from "../model/fleet.ts";
import { pointAt } from "../model/points.ts";
import { loadOf, type PageState } from "../model/state.ts";
import { numberText } from "../model/words.ts";

/** As in the style sheet: of a pool's heading, of a card, and of a card with the gap below it. */
const headingPx = 30;
const cardPx = 50;
const pitchPx = 57;
const poolGapPx = 8;

export function columnHeight({ pools }: FleetColumn): number {
  return pools.reduce(
    (sum, { pool }, index) =>
      sum + (index > 0 ? poolGapPx : 0) + headingPx + Math.max(1, pool.engines.length) * pitchPx,
    0,
  );
}

/** An engine, and how far down its middle is. */
export interface EngineAt {
  readonly key: string;
  readonly y: number;
}

export function placesOf(column: FleetColumn, height: number): EngineAt[] {
  let top = (height - columnHeight(column)) / 2;
  return column.pools.flatMap(({ pool }) => {
    const first = top + headingPx + cardPx / 2;
    top += headingPx + Math.max(1, pool.engines.length) * pitchPx + poolGapPx;
    return pool.engines.map(({ engine }, index) => ({
      key: `${pool.pool} ${engine}`,
      y: first + index * pitchPx,
    }));
  });
}

interface FlowsProps {
  readonly flows: readonly EngineFlow[];
  readonly from: readonly EngineAt[];
  readonly to: readonly EngineAt[];
  readonly height: number;
  /** The key of the engine that is looked at. */
  readonly chosen: string | undefined;
}

export function Flows({ flows, from, to, height, chosen }: FlowsProps) {
  const drawn = flowsBetween(
    flows,
    from.map(({ key }) => key),
    to.map(({ key }) => key),
  );
  return (
    <svg
      class="flows"
      viewBox={`0 0 100 ${height}`}
      preserveAspectRatio="none"
      style={{ height: `${height}px` }}
      aria-hidden="true"
    >
      {drawn.map(({ from: left, to: right, share }) => {
        const [a, b] = [from[left]!, to[right]!];
        const isDim = chosen !== undefined && a.key !== chosen && b.key !== chosen;
        return (
          <Line
            key={`${a.key} ${b.key}`}
            y1={a.y}
            y2={b.y}
            share={share}
            kind={isDim ? "dim" : ""}
          />
        );
      })}
    </svg>
  );
}

interface LineProps {
  readonly y1: number;
  readonly y2: number;
  /** Of the strongest line. */
  readonly share: number;
  readonly kind: string;
}

function Line({ y1, y2, share, kind }: LineProps) {
  const path = `M0 ${y1.toFixed(1)}C50 ${y1.toFixed(1)} 50 ${y2.toFixed(1)} 100 ${y2.toFixed(1)}`;
  return (
    <g class={kind}>
      <path class="band" d={path} style={{ strokeWidth: 1 + 7 * share }} />
      <path
        class="dots"
        d={path}
        style={{ animationDuration: `${(2.6 - 1.6 * share).toFixed(1)}s` }}
      />
    </g>
  );
}

interface EdgeProps {
  readonly state: PageState;
  readonly column: FleetColumn | undefined;
  readonly height: number;
}

/** What comes: requests per second, and how many wait. */
export function Inlet({ state, column, height }: EdgeProps) {
  if (column === undefined) return null;
  const point = state.points.at(-1);
  const waiting = pointAt(point, "waiting") ?? 0;
  const rates = ratesOf(state, column);
  const places = placesOf(column, height);
  return (
    <>
      <div class="edge">
        <b>{rateText(pointAt(point, "requests"))}</b>
        <span>requests/s</span>
        <b class={waiting > 0 ? "waits" : "none"}>{numberText(waiting)}</b>
        <span>waiting</span>
      </div>
      <svg
        class="flows edge-flows in"
        viewBox={`0 0 100 ${height}`}
        preserveAspectRatio="none"
        style={{ height: `${height}px` }}
        aria-hidden="true"
      >
        {places.map(
          ({ key, y }, index) =>
            rates[index]! > 0 && (
              <Line key={key} y1={height / 2} y2={y} share={rates[index]!} kind="in" />
            ),
        )}
      </svg>
    </>
  );
}

/** What leaves: tokens per second. */
export function Outlet({ state, column, height }: EdgeProps) {
  if (column === undefined) return null;
  const point = state.points.at(-1);
  const rates = ratesOf(state, column);
  return (
    <>
      <svg
        class="flows edge-flows out"
        viewBox={`0 0 100 ${height}`}
        preserveAspectRatio="none"
        style={{ height: `${height}px` }}
        aria-hidden="true"
      >
        {placesOf(column, height).map(
          ({ key, y }, index) =>
            rates[index]! > 0 && (
              <Line key={key} y1={y} y2={height / 2} share={rates[index]!} kind="out" />
            ),
        )}
      </svg>
      <div class="edge">
        <b>{rateText(pointAt(point, "outputTokens"))}</b>
        <span>tokens/s</span>
      </div>
    </>
  );
}

/** Between many engines: all requests in one. */
export function Ribbon({ rate }: { readonly rate: number | null }) {
  return (
    <div class="ribbon" aria-hidden="true">
      <svg viewBox="0 0 100 40" preserveAspectRatio="none" aria-hidden="true">
        <path class="band" d="M0 20H100" style={{ strokeWidth: 10 }} />
        {rate !== null && rate > 0 && (
          <path class="dots" d="M0 20H100" style={{ animationDuration: "1.2s" }} />
        )}
      </svg>
      <span>{rateText(rate)} requests/s</span>
    </div>
  );
}

/** Of each engine, as a share of the largest. */
function ratesOf({ load }: PageState, { pools }: FleetColumn): number[] {
  const rates = pools.flatMap(({ pool, index }) =>
    pool.engines.map((_, engine) => Math.max(0, loadOf(load, index, engine, "rate"))),
  );
  const most = Math.max(0.05, ...rates);
  return rates.map((rate) => (rate < 0.02 ? 0 : rate / most));
}

function rateText(rate: number | null): string {
  return rate === null ? "–" : numberText(Math.round(rate * 10) / 10);
}
