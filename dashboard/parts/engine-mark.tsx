/** One engine in the picture of the fleet: a card, or a cell where there are many. */
import type { FleetEngine, FleetPool } from "../../src/control/admin/dashboard/messages.ts";
import { engineSentence, stateGlyphs, stateText, workText } from "../model/fleet.ts";
import { loadOf, type PageState, trailKey } from "../model/state.ts";
import { ageText, numberText } from "../model/words.ts";

export interface EnginePlace {
  readonly pool: FleetPool;
  readonly poolIndex: number;
  readonly engine: FleetEngine;
  readonly engineIndex: number;
}

interface MarkProps {
  readonly place: EnginePlace;
  readonly state: PageState;
  readonly nowMs: number;
  /** Requests in flight of the engine that has most. */
  readonly most: number;
  readonly isChosen: boolean;
  readonly isFirst: boolean;
  readonly choose: () => void;
}

export function EngineCard(props: MarkProps) {
  const { place, state, most, isChosen, isFirst, choose, nowMs } = props;
  const { pool, poolIndex, engine, engineIndex } = place;
  const inFlight = Math.max(0, loadOf(state.load, poolIndex, engineIndex, "inFlight"));
  const isWell = engine.state === "healthy";
  return (
    <button
      type="button"
      class={`engine card-mark ${engine.state}`}
      aria-pressed={isChosen}
      tabIndex={isFirst ? 0 : -1}
      onClick={choose}
    >
      <span class="hidden">{engineSentence(pool, poolIndex, engineIndex, state.load, nowMs)}</span>
      <Trail values={state.trails.get(trailKey(pool.pool, engine.engine)) ?? []} most={most} />
      <span class="line" aria-hidden="true">
        <span class="state">{stateGlyphs[engine.state]}</span>
        <span class="name">{engine.engine}</span>
        <span class="count">{numberText(inFlight)}</span>
      </span>
      <span class="line small" aria-hidden="true">
        <span class="what">
          {isWell && engine.why === undefined
            ? workText(pool.role, poolIndex, engineIndex, state.load)
            : `${stateText(engine)} ${isWell ? "" : ageText(nowMs - engine.sinceMs)}`}
        </span>
        <span class="bar">
          <i style={{ width: `${Math.min(100, (100 * inFlight) / most)}%` }} />
        </span>
      </span>
    </button>
  );
}

export function EngineCell(props: MarkProps) {
  const { place, state, most, isChosen, isFirst, choose, nowMs } = props;
  const { pool, poolIndex, engine, engineIndex } = place;
  const inFlight = Math.max(0, loadOf(state.load, poolIndex, engineIndex, "inFlight"));
  const sentence = engineSentence(pool, poolIndex, engineIndex, state.load, nowMs);
  return (
    <button
      type="button"
      class={`engine cell-mark ${engine.state}`}
      aria-pressed={isChosen}
      title={sentence}
      tabIndex={isFirst ? 0 : -1}
      onClick={choose}
    >
      <span class="hidden">{sentence}</span>
      <i style={{ height: `${Math.min(100, (100 * inFlight) / most)}%` }} />
      {engine.state !== "healthy" && (
        <span class="state" aria-hidden="true">
          {stateGlyphs[engine.state]}
        </span>
      )}
    </button>
  );
}

/** Requests in flight in the last minute. */
function Trail({ values, most }: { readonly values: readonly number[]; readonly most: number }) {
  if (values.length < 2) return null;
  const step = 100 / 59;
  const first = 100 - (values.length - 1) * step;
  const y = (value: number) => 30 - (26 * Math.min(value, most)) / most;
  const points = values.map(
    (value, index) => `${(first + index * step).toFixed(1)} ${y(value).toFixed(1)}`,
  );
  return (
    <svg class="trail" viewBox="0 0 100 30" preserveAspectRatio="none" aria-hidden="true">
      <path d={`M${first.toFixed(1)} 30L${points.join("L")}L100 30Z`} />
    </svg>
  );
}
