/** The fleet as a picture: engines by their part, how much each has to do, and the requests that flow between them. */
import { useState } from "preact/hooks";
import { cardsMax, type FleetGroup, groupsOf } from "../model/fleet.ts";
import { pointAt } from "../model/points.ts";
import { loadOf, type PageState } from "../model/state.ts";
import { numberText } from "../model/words.ts";
import { EngineDetail } from "./engine-detail.tsx";
import { EngineCard, EngineCell, type EnginePlace } from "./engine-mark.tsx";
import { columnHeight, Flows, Inlet, Outlet, placesOf, Ribbon } from "./flows.tsx";

interface PictureProps {
  readonly state: PageState;
  readonly nowMs: number;
}

/** Of the engine that is looked at. */
interface Chosen {
  readonly pool: string;
  readonly engine: string;
}

const roleNames = { encode: "Encode", prefill: "Prefill", decode: "Decode", serve: "Engines" };

export function FleetPicture({ state, nowMs }: PictureProps) {
  const [chosen, setChosen] = useState<Chosen | undefined>(undefined);
  const { fleet } = state;
  if (fleet === undefined) return null;
  const groups = groupsOf(fleet);
  const choose = (next: Chosen) =>
    setChosen(next.pool === chosen?.pool && next.engine === chosen.engine ? undefined : next);
  return (
    <section class="card fleet" aria-labelledby="fleet-title">
      <h2 id="fleet-title">Fleet</h2>
      {groups.length === 0 && <p class="empty">No pools are configured.</p>}
      {/* biome-ignore lint/a11y/noStaticElementInteractions: arrows lead from button to button. */}
      <div onKeyDown={moveFocus}>
        {groups.map((group) => (
          <Group key={group.name} {...{ group, state, nowMs, chosen, choose }} />
        ))}
      </div>
      <Legend />
      {chosen !== undefined && (
        <EngineDetail state={state} nowMs={nowMs} {...chosen} close={() => setChosen(undefined)} />
      )}
    </section>
  );
}

interface GroupProps extends PictureProps {
  readonly group: FleetGroup;
  readonly chosen: Chosen | undefined;
  readonly choose: (chosen: Chosen) => void;
}

function Group({ group, state, nowMs, chosen, choose }: GroupProps) {
  const { columns } = group;
  const engines = columns.flatMap(({ pools }) => pools.flatMap(({ pool }) => pool.engines));
  const isCards = columns.every(({ pools }) =>
    pools.every(({ pool }) => pool.engines.length <= cardsMax),
  );
  const height = Math.max(0, ...columns.map(columnHeight));
  const most = Math.max(
    4,
    ...columns.flatMap(({ pools }) =>
      pools.flatMap(({ pool, index }) =>
        pool.engines.map((_, engine) => loadOf(state.load, index, engine, "inFlight")),
      ),
    ),
  );
  const chosenKey = chosen && `${chosen.pool} ${chosen.engine}`;
  return (
    <div class={`group ${isCards ? "as-cards" : "as-cells"}`}>
      {isCards && <Inlet state={state} column={columns[0]} height={height} />}
      {columns.map((column, index) => (
        <>
          {index > 0 &&
            (isCards ? (
              <Flows
                flows={state.requests?.flows ?? []}
                from={placesOf(columns[index - 1]!, height)}
                to={placesOf(column, height)}
                height={height}
                chosen={chosenKey}
              />
            ) : (
              <Ribbon rate={pointAt(state.points.at(-1), "requests")} />
            ))}
          <div
            class={`column ${column.role}`}
            style={{ paddingTop: isCards ? `${(height - columnHeight(column)) / 2}px` : "0" }}
          >
            {column.pools.map(({ pool, index: poolIndex }) => (
              <div key={pool.pool} class="pool">
                <h3 title={pool.policySummary}>
                  <b>{roleNames[column.role]}</b> {pool.pool !== column.role && pool.pool}
                  <span class="quiet"> {pool.policy}</span>
                  <Waiting waiting={state.load?.waiting[poolIndex] ?? null} />
                </h3>
                {pool.engines.length === 0 && <p class="empty">no engines</p>}
                <div class={isCards ? "cards" : "cells"}>
                  {pool.engines.map((engine, engineIndex) => {
                    const place: EnginePlace = { pool, poolIndex, engine, engineIndex };
                    const Mark = isCards ? EngineCard : EngineCell;
                    return (
                      <Mark
                        key={engine.engine}
                        place={place}
                        state={state}
                        nowMs={nowMs}
                        most={most}
                        isChosen={chosenKey === `${pool.pool} ${engine.engine}`}
                        isFirst={engines[0] === engine}
                        choose={() => choose({ pool: pool.pool, engine: engine.engine })}
                      />
                    );
                  })}
                </div>
              </div>
            ))}
          </div>
        </>
      ))}
      {isCards && <Outlet state={state} column={columns.at(-1)} height={height} />}
    </div>
  );
}

function Waiting({ waiting }: { readonly waiting: number | null }) {
  if (waiting === null || waiting === 0) return null;
  return <span class="waiting"> {numberText(waiting)} waiting</span>;
}

function Legend() {
  return (
    <p class="legend" aria-hidden="true">
      <span class="good">● healthy</span>
      <span class="warn">▲ degraded</span>
      <span class="bad">✕ ejected</span>
      <span>◐ draining</span>
      <span>◌ starting</span>
      <span class="space" />
      <span class="quiet">Bars: requests in flight. Lines: requests of the last 10 s.</span>
    </p>
  );
}

const directions: Readonly<Record<string, readonly [number, number]>> = {
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
};

/** To the nearest engine in the direction of the key. */
function moveFocus(event: KeyboardEvent): void {
  const direction = directions[event.key];
  const from = (event.target as HTMLElement).closest(".engine");
  if (direction === undefined || from === null) return;
  event.preventDefault();
  const middle = (element: Element) => {
    const { x, y, width, height } = element.getBoundingClientRect();
    return [x + width / 2, y + height / 2] as const;
  };
  const [x, y] = middle(from);
  const [dx, dy] = direction;
  let best: HTMLElement | undefined;
  let bestDistance = Number.POSITIVE_INFINITY;
  const all = (event.currentTarget as HTMLElement).querySelectorAll<HTMLElement>(".engine");
  for (const one of all) {
    const [otherX, otherY] = middle(one);
    const along = (otherX - x) * dx + (otherY - y) * dy;
    const across = Math.abs((otherX - x) * dy) + Math.abs((otherY - y) * dx);
    const distance = along + 3 * across;
    if (along < 2 || distance >= bestDistance) continue;
    best = one;
    bestDistance = distance;
  }
  if (best === undefined) return;
  for (const one of all) one.tabIndex = -1;
  best.tabIndex = 0;
  best.focus();
}
