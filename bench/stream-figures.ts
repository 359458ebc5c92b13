/** Figures that need a client of our own: streams held at once and their memory; added TTFT and ITL. */

import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type HoldPlan, type LatencyPlan, WARM_UP_PACE } from "./config.ts";
import { type Engine, startEngine } from "./engine-handle.ts";
import { undisturbed } from "./noise.ts";
import { renderRequest } from "./payloads.ts";
import { descriptorLimit, LOAD_CORE, rssBytes, run, scratchFolder, sleep } from "./process.ts";
import type { Rival, RunningRival } from "./rivals/rival.ts";
import { type Summary, summarise } from "./stats.ts";
import type { ClientOptions, HoldResult, LatencyResult } from "./stream-client.ts";

const CLIENT = fileURLToPath(new URL("./stream-client.js", import.meta.url));
const CLIENT_LIMIT_MS = 150_000;
const BODY_BYTES = 2048;
/** A proxied stream has a descriptor on each side; the rest is for pools, logs and the runtime itself. */
const DESCRIPTORS_PER_STREAM = 2;
const SPARE_DESCRIPTORS = 200;
const SAMPLE_MS = 100;

export interface HeldStreams {
  readonly wanted: number;
  /** Open at the engine at the same moment. */
  readonly held: number;
  readonly descriptorLimit: number;
  readonly errors: number;
  readonly firstError: string;
  readonly rssBeforeBytes: number;
  readonly rssPeakBytes: number;
  readonly rssPerStreamBytes: number;
}

/** Opens as many streams through one rival as the plan wants and the descriptor limit lets it. */
export async function holdStreams(
  rival: Rival,
  runtime: string,
  plan: HoldPlan,
): Promise<HeldStreams> {
  const limit = await descriptorLimit();
  const room = Math.floor((limit - SPARE_DESCRIPTORS) / DESCRIPTORS_PER_STREAM);
  const wanted = Math.min(plan.streams, room);
  // An engine of its own, whose ports no connection of an earlier rival still occupies in TIME_WAIT.
  const engine = await startEngine(runtime);
  const running = await rival.start(engine);
  try {
    await engine.setPace(WARM_UP_PACE);
    await runClient(running.port, {
      mode: "hold",
      chunks: WARM_UP_PACE.chunks,
      streams: plan.warmUpStreams,
    });
    await engine.idle();
    await engine.setPace(plan.pace);
    await engine.reset();
    await sleep(500);
    const pids = running.pids();
    const rssBeforeBytes = rssBytes(pids);
    let rssPeakBytes = rssBeforeBytes;
    const sampler = setInterval(() => {
      rssPeakBytes = Math.max(rssPeakBytes, rssBytes(pids));
    }, SAMPLE_MS);
    const result = await runClient(running.port, {
      mode: "hold",
      chunks: plan.pace.chunks,
      streams: wanted,
    }).finally(() => clearInterval(sampler));
    const count = await engine.count();
    return {
      wanted,
      held: count.peakStreams,
      descriptorLimit: limit,
      errors: result.errors,
      firstError: result.firstError,
      rssBeforeBytes,
      rssPeakBytes,
      rssPerStreamBytes: (rssPeakBytes - rssBeforeBytes) / count.peakStreams,
    };
  } finally {
    await running.stop();
    await engine.stop();
  }
}

export interface LatencySummary {
  readonly ttftP50Ms: Summary;
  readonly ttftP99Ms: Summary;
  readonly itlP50Ms: Summary;
  readonly itlP99Ms: Summary;
  readonly coalesced: Summary;
}

export interface LatencyFigures {
  readonly direct: LatencySummary;
  /** By rival id: what it adds to the direct connection of the same alternation. */
  readonly added: Readonly<Record<string, LatencySummary>>;
}

/** Alternates between a direct connection to the decode engine and each rival. */
export async function measureLatency(
  rivals: readonly Rival[],
  engine: Engine,
  plan: LatencyPlan,
  attempts: number,
  say: (line: string) => void,
): Promise<LatencyFigures> {
  const direct: LatencyResult[] = [];
  const through: Record<string, LatencyResult[]> = Object.fromEntries(
    rivals.map((rival) => [rival.id, []]),
  );
  const measure = async (port: number, name: string): Promise<LatencyResult> => {
    await engine.setPace(WARM_UP_PACE);
    await latencyRun(port, { ...plan, pace: WARM_UP_PACE }, plan.warmUpMs);
    await engine.setPace(plan.pace);
    const { result, foreignShare } = await undisturbed(attempts, () =>
      latencyRun(port, plan, plan.roundMs),
    );
    if (result.errors > 0) throw new Error(`${name}: stream failed: ${result.firstError}`);
    say(
      `  latency ${name.padEnd(12)} TTFT ${result.ttftP50Ms.toFixed(2)} / ${result.ttftP99Ms.toFixed(2)} ms, ` +
        `ITL ${result.itlP50Ms.toFixed(2)} / ${result.itlP99Ms.toFixed(2)} ms (p50 / p99), ` +
        `${result.completed} streams, ${(result.coalesced * 100).toFixed(2)} % of chunks merged, ` +
        `others ${(foreignShare * 100).toFixed(0)} %`,
    );
    return result;
  };
  for (let i = 0; i < plan.rounds; i++) {
    direct.push(await measure(engine.decodePort, "direct"));
    for (const rival of rivals) {
      const running: RunningRival = await rival.start(engine);
      try {
        through[rival.id]!.push(await measure(running.port, rival.id));
      } finally {
        await running.stop();
      }
    }
  }
  const added = Object.fromEntries(
    rivals.map((rival) => [rival.id, summariseLatency(through[rival.id]!, direct)]),
  );
  return { direct: summariseLatency(direct, null), added };
}

function summariseLatency(
  results: readonly LatencyResult[],
  base: readonly LatencyResult[] | null,
): LatencySummary {
  const difference = (name: "ttftP50Ms" | "ttftP99Ms" | "itlP50Ms" | "itlP99Ms"): Summary =>
    summarise(results.map((result, i) => result[name] - (base?.[i]?.[name] ?? 0)));
  return {
    ttftP50Ms: difference("ttftP50Ms"),
    ttftP99Ms: difference("ttftP99Ms"),
    itlP50Ms: difference("itlP50Ms"),
    itlP99Ms: difference("itlP99Ms"),
    coalesced: summarise(results.map((result) => result.coalesced)),
  };
}

function latencyRun(port: number, plan: LatencyPlan, durationMs: number): Promise<LatencyResult> {
  return runClient(port, {
    mode: "latency",
    chunks: plan.pace.chunks,
    streams: plan.concurrency,
    durationMs,
    jitterMs: plan.pace.tickMs * plan.pace.buckets,
  });
}

async function runClient<Result extends HoldResult = LatencyResult>(
  port: number,
  options: Pick<ClientOptions, "mode" | "chunks" | "streams"> & Partial<ClientOptions>,
): Promise<Result> {
  const folder = scratchFolder("stream");
  const bodyFile = join(folder, "body.json");
  writeFileSync(bodyFile, renderRequest(BODY_BYTES, true));
  const all: ClientOptions = { port, bodyFile, durationMs: 0, jitterMs: 0, ...options };
  try {
    const out = await run(
      LOAD_CORE,
      process.execPath,
      [CLIENT, JSON.stringify(all)],
      CLIENT_LIMIT_MS,
    );
    return JSON.parse(out) as Result;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
