/** `npm run bench`: checks each rival, measures them in turn, prints the tables and writes what was asked for. */

import { readFileSync, writeFileSync } from "node:fs";
import { cpus, release } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { checkRival } from "./check.ts";
import { FULL, type Plan, SCENARIOS, SHORT } from "./config.ts";
import { measureScenario, type ScenarioResult } from "./cpu-rounds.ts";
import { type Engine, startEngine } from "./engine-handle.ts";
import { killRunning, run } from "./process.ts";
import { kept, markdown, plainText, type Results } from "./report.ts";
import { BUN, bunVersion, globalProxies } from "./rivals/global-proxy.ts";
import { nginx, nginxAgain, nginxTls } from "./rivals/nginx.ts";
import type { Rival } from "./rivals/rival.ts";
import {
  type HeldStreams,
  holdStreams,
  type LatencyFigures,
  measureLatency,
} from "./stream-figures.ts";

const DOCUMENT = fileURLToPath(new URL("../../docs/benchmarks.md", import.meta.url));
const RIVALS: readonly Rival[] = [nginx, nginxTls, ...globalProxies, nginxAgain];
const EXTRAS = ["hold", "latency"];

interface Choice {
  readonly plan: Plan;
  readonly rivals: readonly Rival[];
  readonly parts: readonly string[];
  readonly json: string | undefined;
  readonly write: boolean;
}

const say = (line: string): void => void process.stdout.write(`${line}\n`);

function choose(): Choice {
  const { values } = parseArgs({
    options: {
      short: { type: "boolean", default: false },
      write: { type: "boolean", default: false },
      json: { type: "string" },
      rivals: { type: "string", default: "nginx,bun,node,bun-defaults" },
      scenarios: { type: "string", default: [...SCENARIOS.map((s) => s.id), ...EXTRAS].join(",") },
      rounds: { type: "string" },
      attempts: { type: "string" },
    },
  });
  const plan = values.short ? SHORT : FULL;
  const [rounds, attempts] = (
    [
      ["rounds", plan.rounds],
      ["attempts", plan.attempts],
    ] as const
  ).map(([name, usual]) => {
    const count = values[name] === undefined ? usual : Number(values[name]);
    if (Number.isInteger(count) && count >= 1) return count;
    throw new Error(`--${name} takes a positive number`);
  }) as [number, number];
  if (values.short && values.write) throw new Error("--write needs the full run, not --short");
  const rivals = values.rivals.split(",").map((id) => {
    const rival = RIVALS.find((each) => each.id === id);
    if (rival === undefined) throw new Error(`no rival ${id}: ${RIVALS.map((r) => r.id)}`);
    return rival;
  });
  const known = [...SCENARIOS.map((scenario) => scenario.id), ...EXTRAS];
  const parts = values.scenarios.split(",");
  const unknown = parts.find((part) => !known.includes(part));
  if (unknown !== undefined) throw new Error(`no scenario ${unknown}: ${known}`);
  return {
    plan: { ...plan, rounds, attempts },
    rivals,
    parts,
    json: values.json,
    write: values.write,
  };
}

/** Those that this machine has and that do the work; a rival that is here and answers wrongly ends the run. */
async function present(
  rivals: readonly Rival[],
  engine: Engine,
  versions: Record<string, string>,
  skipped: string[],
): Promise<Rival[]> {
  const here: Rival[] = [];
  for (const rival of rivals) {
    const version = await rival.version();
    if (version === null) {
      skipped.push(`${rival.title} (not installed here)`);
      say(`left out: ${rival.title}: not installed here`);
      continue;
    }
    versions[rival.id] = version;
    const running = await rival.start(engine);
    try {
      await checkRival(rival, running, engine);
    } finally {
      await running.stop();
    }
    say(`${rival.title} ${version}: answers correctly`);
    here.push(rival);
  }
  return here;
}

async function measure(choice: Choice): Promise<Results> {
  const { plan, parts } = choice;
  const bun = await bunVersion();
  const engineRuntime = bun === null ? process.execPath : BUN;
  const engine = await startEngine(engineRuntime);
  const versions: Record<string, string> = {};
  const skipped: string[] = [];
  const rivals = await present(choice.rivals, engine, versions, skipped);
  const scenarios: ScenarioResult[] = [];
  for (const scenario of SCENARIOS.filter(({ id }) => parts.includes(id))) {
    scenarios.push(await measureScenario(scenario, rivals, engine, plan, say));
  }
  const plain = rivals.filter(({ isTls }) => !isTls);
  let latency: LatencyFigures | null = null;
  if (parts.includes("latency")) {
    latency = await measureLatency(plain, engine, plan.latency, plan.attempts, say);
  }
  await engine.stop();
  const held: Record<string, HeldStreams> = {};
  if (parts.includes("hold")) {
    for (const rival of plain) {
      held[rival.id] = await holdStreams(rival, engineRuntime, plan.hold);
      say(`  hold ${rival.id} ${JSON.stringify(held[rival.id])}`);
    }
  }
  const node = `Node ${process.versions.node}`;
  const runtimes = bun === null ? node : `Bun ${bun} and ${node}`;
  return {
    date: new Date().toISOString().slice(0, 10),
    machine: machine(),
    versions: { ...versions, "engine and rig on": runtimes },
    plan,
    titles: Object.fromEntries(rivals.map((rival) => [rival.id, rival.title])),
    skipped,
    scenarios,
    held,
    latency,
  };
}

function machine(): string {
  const list = cpus();
  const memoryGiB = Number(/MemTotal:\s+(\d+)/.exec(readFileSync("/proc/meminfo", "latin1"))?.[1]);
  const virtual = /^flags.*\bhypervisor\b/m.test(readFileSync("/proc/cpuinfo", "latin1"));
  return (
    `${list.length} ${virtual ? "virtual " : ""}cores of ${list[0]?.model ?? "an unknown CPU"}, ` +
    `${(memoryGiB / 1024 / 1024).toFixed(0)} GiB, Linux ${release()}`
  );
}

async function requireTools(): Promise<void> {
  for (const tool of ["wrk", "taskset"]) {
    await run(null, "sh", ["-c", `command -v ${tool}`], 5000).catch(() => {
      throw new Error(`${tool} is missing: apt-get install nginx-light wrk util-linux`);
    });
  }
}

async function main(): Promise<void> {
  const choice = choose();
  await requireTools();
  const results = await measure(choice);
  say(`\n${plainText(results)}`);
  if (choice.json !== undefined) writeFileSync(choice.json, JSON.stringify(results, null, 2));
  if (choice.write)
    writeFileSync(DOCUMENT, markdown(results) + kept(readFileSync(DOCUMENT, "utf8")));
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    process.stderr.write(`ended by ${signal}\n`);
    killRunning();
    process.exit(130);
  });
}
try {
  await main();
} catch (error) {
  killRunning();
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : error}\n`);
  if (error instanceof Error && error.cause !== undefined) {
    process.stderr.write(`because: ${String(error.cause)}\n`);
  }
  process.exitCode = 1;
}
