/**
 * CPU time of each rival per request or per streamed chunk, in alternating rounds of wrk against one rival at a time.
 */

import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Plan, Scenario } from "./config.ts";
import type { Engine, EngineCounts } from "./engine-handle.ts";
import { undisturbed } from "./noise.ts";
import { renderRequest } from "./payloads.ts";
import { cpuUs, LOAD_CORE, run, scratchFolder } from "./process.ts";
import type { Rival, RunningRival } from "./rivals/rival.ts";

const WRK_SCRIPT = fileURLToPath(new URL("../wrk/post.lua", import.meta.url));
const US_PER_S = 1e6;

/** What wrk/post.lua prints. */
interface WrkResult {
  readonly requests: number;
  readonly durationUs: number;
  readonly socketErrors: number;
  readonly statusErrors: number;
  readonly timeouts: number;
  readonly p50Us: number;
  readonly p99Us: number;
}

export interface Round {
  readonly cpuUsPerUnit: number;
  readonly unitsPerS: number;
  /** Share of its core that the rival used; near 1 in a request round means that nothing else held it back. */
  readonly rivalShare: number;
  readonly engineShare: number;
  /** What programs outside the benchmark used meanwhile, as a share of one core. */
  readonly foreignShare: number;
}

export interface ScenarioResult {
  readonly scenario: Scenario;
  /** By rival id, one entry per round; the same place is the same alternation. */
  readonly rounds: Readonly<Record<string, readonly Round[]>>;
}

export async function measureScenario(
  scenario: Scenario,
  rivals: readonly Rival[],
  engine: Engine,
  plan: Plan,
  say: (line: string) => void,
): Promise<ScenarioResult> {
  const folder = scratchFolder("body");
  const bodyFile = join(folder, "body.json");
  writeFileSync(bodyFile, renderRequest(scenario.bodyBytes, scenario.stream));
  await engine.setPace(plan.streamPace);
  const rounds: Record<string, Round[]> = Object.fromEntries(rivals.map((r) => [r.id, []]));
  try {
    for (let i = 0; i < plan.rounds; i++) {
      for (const rival of rivals) {
        const running = await rival.start(engine);
        try {
          if (plan.warmUpS > 0) await load(scenario, running, bodyFile, plan.warmUpS);
          const { result, foreignShare } = await undisturbed(plan.attempts, () =>
            measureRound(scenario, rival, running, engine, bodyFile, plan.roundS),
          );
          const round = { ...result, foreignShare };
          rounds[rival.id]!.push(round);
          say(`  ${scenario.id} round ${i + 1} ${rival.id.padEnd(12)} ${describe(round)}`);
        } finally {
          await running.stop();
        }
      }
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return { scenario, rounds };
}

function describe(round: Round): string {
  const share = (value: number): string => `${(value * 100).toFixed(0)} %`;
  return (
    `${round.cpuUsPerUnit.toFixed(2)} µs, ${round.unitsPerS.toFixed(0)}/s, ` +
    `rival's core ${share(round.rivalShare)}, engine ${share(round.engineShare)}, others ${share(round.foreignShare)}`
  );
}

async function measureRound(
  scenario: Scenario,
  rival: Rival,
  running: RunningRival,
  engine: Engine,
  bodyFile: string,
  seconds: number,
): Promise<Omit<Round, "foreignShare">> {
  await engine.idle();
  await engine.reset();
  const pids = running.pids();
  const startMs = performance.now();
  const rivalBeforeUs = cpuUs(pids);
  const engineBeforeUs = cpuUs([engine.pid]);
  const wrk = await load(scenario, running, bodyFile, seconds);
  // What a rival still does for the aborted last requests is a part of its round.
  await engine.idle();
  const count = await engine.count();
  const wallUs = (performance.now() - startMs) * 1000;
  const usedUs = cpuUs(pids) - rivalBeforeUs;
  assertWorkDone(scenario, rival, wrk, count);
  // Streams that the end of the round cut off are no requests for wrk, but their chunks did pass through the rival.
  const units = scenario.unit === "chunk" ? count.chunks : wrk.requests;
  return {
    cpuUsPerUnit: usedUs / units,
    unitsPerS: units / (wrk.durationUs / US_PER_S),
    rivalShare: usedUs / wallUs,
    engineShare: (cpuUs([engine.pid]) - engineBeforeUs) / wallUs,
  };
}

function assertWorkDone(
  scenario: Scenario,
  rival: Rival,
  wrk: WrkResult,
  count: EngineCounts,
): void {
  const wrong = (what: string): never => {
    throw new Error(
      `${rival.title}, ${scenario.title}: ${what}: ${JSON.stringify({ wrk, count })}`,
    );
  };
  if (wrk.requests === 0) wrong("no request completed");
  if (wrk.socketErrors + wrk.statusErrors + wrk.timeouts > 0) wrong("errors under load");
  if (count.decode < wrk.requests) wrong("answers without a decode");
  if (!rival.disaggregates) return;
  // On a busy machine requests of the warm-up may be between their legs when the counts start.
  if (count.prefill + scenario.connections < count.decode) wrong("decodes without a prefill");
  if (count.prefillWrong + count.decodeWithoutKv > 0) wrong("a hand-off was wrong");
}

async function load(
  scenario: Scenario,
  running: RunningRival,
  bodyFile: string,
  seconds: number,
): Promise<WrkResult> {
  const out = await run(
    LOAD_CORE,
    "wrk",
    [
      ...["-t", "1", "-c", String(scenario.connections), "-d", `${seconds}s`, "--timeout", "10s"],
      ...[
        "-s",
        WRK_SCRIPT,
        `http${running.isTls ? "s" : ""}://127.0.0.1:${running.port}/v1/completions`,
        "--",
        bodyFile,
      ],
    ],
    seconds * 1000 + 30_000,
  );
  const line = out.split("\n").find((text) => text.startsWith('{"requests"'));
  if (line === undefined) throw new Error(`wrk printed no totals: ${out}`);
  return JSON.parse(line) as WrkResult;
}
