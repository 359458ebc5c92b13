/** The state of all engines, what has become of requests to them, and what they hold. */
import type { Metric } from "../../../observe/metrics/definition.ts";
import { engineMetrics } from "../../../observe/metrics/engine-definitions.ts";
import type { Exposition, Labels } from "../../../observe/metrics/exposition.ts";
import type { Engine } from "../../../pool/engine.ts";
import { ejectionReasons } from "../../../pool/health/ejection.ts";
import { engineStates } from "../../../pool/health/engine-state.ts";
import type { Pool } from "../../../pool/pool.ts";
import { kvEnds } from "../../../scoreboard/kv-counts.ts";
import { legFailures, legNames, legStatuses } from "../../../scoreboard/leg-counts.ts";
import type { Scoreboard } from "../../../scoreboard/scoreboard.ts";
import type { EngineReport, PoolReport } from "../engines.ts";
import type { KvEngineReport, KvPoolReport } from "../kv.ts";

type EngineLabels = Labels<"pool" | "engine">;
type ByEngine = Metric<"pool" | "engine">;

const cacheStates = ["exact", "approximate", "blind"] as const;

/** One number for each engine; undefined = not known of this one. */
const gauges: readonly (readonly [ByEngine, (engine: EngineReport) => number | undefined])[] = [
  [engineMetrics.up, ({ state }) => Number(state === "healthy" || state === "degraded")],
  [engineMetrics.weight, ({ weight }) => weight],
  [engineMetrics.inFlight, ({ inFlight }) => inFlight],
  [engineMetrics.promptBytes, ({ promptBytes }) => promptBytes],
  [engineMetrics.promptTokens, ({ promptTokens }) => promptTokens],
  [engineMetrics.responseTokens, ({ answerTokens }) => answerTokens],
  [engineMetrics.firstByte, ({ firstByteMs }) => seconds(firstByteMs)],
  [engineMetrics.service, ({ serviceMs }) => seconds(serviceMs)],
  [engineMetrics.countedFailures, ({ failures }) => failures],
  [
    engineMetrics.signalLive,
    ({ signal }) => (signal === undefined ? undefined : Number(signal === "live")),
  ],
  [engineMetrics.externalRequests, ({ others }) => others],
  [engineMetrics.kvUsage, ({ kvUse }) => kvUse],
];

interface CountedEngine {
  readonly pool: Pool;
  readonly engine: Engine;
  readonly labels: EngineLabels;
}

/** What the engines are read from. */
export interface EngineSource {
  readonly pools: readonly Pool[];
  readonly poolReports: readonly PoolReport[];
  readonly kvReports: readonly KvPoolReport[];
}

export function writeEngines(
  out: Exposition,
  { pools, poolReports, kvReports }: EngineSource,
  nowMs: number,
): void {
  writeStates(out, poolReports);
  const engines = pools.flatMap((pool) =>
    pool.engines.map((engine) => ({
      pool,
      engine,
      labels: { pool: pool.name, engine: engine.name },
    })),
  );
  writeEjections(out, engines, nowMs);
  writeCounts(out, engines);
  writeKv(
    out,
    kvReports.flatMap(({ pool, engines: ones }) => ones.map((one) => ({ pool, one }))),
  );
}

function writeStates(out: Exposition, pools: readonly PoolReport[]): void {
  const engines = pools.flatMap(({ pool, engines: ones }) =>
    ones.map((report) => ({ report, labels: { pool, engine: report.engine } })),
  );
  for (const [metric, value] of gauges) {
    const family = out.family(metric);
    for (const { report, labels } of engines) family.add(labels, value(report));
  }
  const stateFamily = out.family(engineMetrics.state);
  for (const { report, labels } of engines) {
    for (const state of engineStates) {
      stateFamily.add({ ...labels, state }, Number(report.state === state));
    }
  }
  const cacheFamily = out.family(engineMetrics.cacheKnowledge);
  for (const { report, labels } of engines) {
    if (report.cache === "unused") continue;
    for (const state of cacheStates) {
      cacheFamily.add({ ...labels, state }, Number(report.cache === state));
    }
  }
}

function writeEjections(out: Exposition, engines: readonly CountedEngine[], nowMs: number): void {
  const ejected = out.family(engineMetrics.ejected);
  for (const { pool, engine, labels } of engines) {
    ejected.add(labels, pool.health.isEjected(engine, nowMs) ? 1 : 0);
  }
  const ejections = out.family(engineMetrics.ejections);
  for (const { pool, engine, labels } of engines) {
    const { health } = pool.board;
    ejectionReasons.slice(1).forEach((cause, index) => {
      ejections.add({ ...labels, cause }, health.ejectedFor(engine.slot, index + 1));
    });
  }
}

function writeCounts(out: Exposition, engines: readonly CountedEngine[]): void {
  const byEngine = (metric: ByEngine, value: (board: Scoreboard, slot: number) => number) => {
    const family = out.family(metric);
    for (const { pool, engine, labels } of engines) {
      family.add(labels, value(pool.board, engine.slot));
    }
  };
  byEngine(engineMetrics.picks, (board, slot) => board.picks(slot));
  byEngine(engineMetrics.pickedBytes, (board, slot) => board.pickedBytes(slot));
  const requests = out.family(engineMetrics.requests);
  for (const { pool, engine, labels } of engines) {
    const { legs } = pool.board;
    for (const leg of usedLegs(pool.board, engine.slot)) {
      for (const status of legStatuses) {
        requests.add({ ...labels, leg, status }, legs.requests(engine.slot, leg, status));
      }
    }
  }
  const failures = out.family(engineMetrics.failures);
  for (const { pool, engine, labels } of engines) {
    const { legs } = pool.board;
    for (const leg of usedLegs(pool.board, engine.slot)) {
      for (const cause of legFailures) {
        failures.add({ ...labels, leg, cause }, legs.failures(engine.slot, leg, cause));
      }
    }
  }
  byEngine(engineMetrics.reportedPromptTokens, ({ legs }, slot) =>
    legs.promptTokens(slot, "prompt"),
  );
  const cached = out.family(engineMetrics.cachedTokens);
  for (const { pool, engine, labels } of engines) {
    const { legs } = pool.board;
    cached.add({ ...labels, source: "reported" }, legs.promptTokens(engine.slot, "cached"));
    cached.add(
      { ...labels, source: "predicted" },
      legs.promptTokens(engine.slot, "predictedCached"),
    );
  }
}

/** An engine has one as a rule: the series of the others would never count. */
function usedLegs({ legs }: Scoreboard, slot: number) {
  return legNames.filter((leg) => legStatuses.some((one) => legs.requests(slot, leg, one) > 0));
}

function writeKv(
  out: Exposition,
  engines: readonly { readonly pool: string; readonly one: KvEngineReport }[],
): void {
  const byEngine = (metric: ByEngine, value: (one: KvEngineReport) => number) => {
    const family = out.family(metric);
    for (const { pool, one } of engines) family.add({ pool, engine: one.engine }, value(one));
  };
  byEngine(engineMetrics.kvOpen, ({ open }) => open);
  byEngine(engineMetrics.kvOldestAge, ({ oldestAgeMs = 0 }) => oldestAgeMs / 1_000);
  const ended = out.family(engineMetrics.kvEnded);
  for (const { pool, one } of engines) {
    for (const end of kvEnds) ended.add({ pool, engine: one.engine, end }, one.ended[end]);
  }
  byEngine(engineMetrics.kvMissing, ({ missing }) => missing);
}

function seconds(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : ms / 1_000;
}
