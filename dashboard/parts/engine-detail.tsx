/** All that is known of one engine. */
import type { FleetEngine } from "../../src/control/admin/dashboard/messages.ts";
import { stateGlyphs, stateText } from "../model/fleet.ts";
import { loadOf, type PageState } from "../model/state.ts";
import { ageText, countText, durationText, numberText, percentText } from "../model/words.ts";

interface DetailProps {
  readonly state: PageState;
  readonly nowMs: number;
  readonly pool: string;
  readonly engine: string;
  readonly close: () => void;
}

export function EngineDetail({ state, nowMs, pool, engine: name, close }: DetailProps) {
  const poolIndex = state.fleet?.pools.findIndex((one) => one.pool === pool) ?? -1;
  const index =
    state.fleet?.pools[poolIndex]?.engines.findIndex((one) => one.engine === name) ?? -1;
  const engine = state.fleet?.pools[poolIndex]?.engines[index];
  const field = (of: Parameters<typeof loadOf>[3]) => loadOf(state.load, poolIndex, index, of);
  return (
    <aside class="detail" aria-label={`Engine ${name}`}>
      <div class="detail-head">
        <h3>
          {engine && <span class={`state ${engine.state}`}>{stateGlyphs[engine.state]} </span>}
          {pool} {name}
        </h3>
        <button type="button" class="plain" onClick={close}>
          Close
        </button>
      </div>
      {engine === undefined ? (
        <p>It has left the pool.</p>
      ) : (
        <dl>
          {[...factsOf(engine, nowMs), ...numbersOf(field)].map(([term, text]) => (
            <div key={term}>
              <dt>{term}</dt>
              <dd>{text}</dd>
            </div>
          ))}
        </dl>
      )}
    </aside>
  );
}

const cacheTexts: Readonly<Record<FleetEngine["cache"], string>> = {
  exact: "known exactly",
  approximate: "known by what was sent there",
  blind: "not known",
  unused: "not asked for by the pool's policy",
};

type Fact = readonly [term: string, text: string];

function factsOf(engine: FleetEngine, nowMs: number): Fact[] {
  const { ejection, burst, draining, signal } = engine;
  const untilMs = ejection === undefined ? 0 : Date.parse(ejection.until) - nowMs;
  return [
    ["state", `${stateText(engine)} for ${ageText(nowMs - engine.sinceMs)}`],
    ...(ejection === undefined
      ? []
      : ([
          [
            "ejection",
            `${ejection.reason.replace("-", " ")}; tried again ${untilMs > 0 ? `in ${ageText(untilMs)}` : "by the next request"}`,
          ],
        ] as const)),
    ...(burst === undefined
      ? []
      : ([
          [
            "last failures",
            `${numberText(burst.errors)} connections, ${numberText(burst.timeouts)} time-outs, ${numberText(burst.invalid)} invalid, ${numberText(burst.statuses)} with 5xx; the last ${ageText(nowMs - burst.lastMs)} ago`,
          ],
        ] as const)),
    ...(draining === undefined ? [] : ([["drains", draining.why]] as const)),
    ["named by", engine.sources.join(", ") || "no source any more"],
    ["its cache", cacheTexts[engine.cache]],
    ...(signal === undefined ? [] : ([["load signal", signal]] as const)),
    ["weight", numberText(engine.weight)],
    ...modelFacts(engine),
  ];
}

/** Models and LoRA adapters apart, as far as they are told. */
function modelFacts({ models = [], modelsUntold = 0 }: FleetEngine): Fact[] {
  const names = (are: boolean) =>
    models.filter(({ adapterOf }) => (adapterOf !== undefined) === are).map(({ name }) => name);
  const facts = [
    ["models", names(false).join(", ")],
    ["adapters", names(true).join(", ")],
    ["more of them", modelsUntold === 0 ? "" : numberText(modelsUntold)],
  ] as const;
  return facts.filter(([, text]) => text !== "");
}

function numbersOf(field: (of: Parameters<typeof loadOf>[3]) => number): Fact[] {
  const known = (
    of: Parameters<typeof loadOf>[3],
    text: (value: number) => string,
    term: string,
  ): Fact[] => (field(of) < 0 ? [] : [[term, text(field(of))]]);
  return [
    ...known("inFlight", (value) => countText(value, "request"), "in flight"),
    ...known("rate", (value) => `${value.toFixed(1)} requests/s`, "rate"),
    ...known("promptTokens", (value) => countText(Math.round(value), "token"), "of prompts"),
    ...known("responseTokens", (value) => countText(Math.round(value), "token"), "of responses"),
    ...known("firstByteMs", durationText, "first byte"),
    ...known("serviceMs", durationText, "whole response"),
    ...known("kvOpen", (value) => countText(value, "KV cache"), "holds"),
    ...known("kvUse", percentText, "KV cache in use"),
    ...known("others", (value) => countText(value, "request"), "of others"),
  ];
}
