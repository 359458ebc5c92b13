/** `global-proxy simulate`: replays a trace in virtual time, so that policies can be compared, or a fleet be planned. */
import { readFileSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import type { Command } from "commander";
import { bestSplit, leastEngines, type Plan, planJson, planTable, rateOf } from "../lab/plan.ts";
import { factsOf } from "../lab/report/facts.ts";
import { Report } from "../lab/report/page.ts";
import { jsonOf, tableOf } from "../lab/rows.ts";
import {
  type Replayed,
  type Row,
  type SimulateOptions,
  simulate,
  Trials,
} from "../lab/simulate.ts";
import { sloText } from "../lab/slo.ts";
import { syntheticTrace } from "../lab/synthetic.ts";
import { parseTrace, type TraceRequest } from "../lab/trace.ts";
import { logFileProblem } from "../observe/log-file.ts";
import { print, printMessage } from "./print.ts";
import { Progress } from "./progress.ts";
import { type SimulateSwitches, simulateWords } from "./simulate-words.ts";

/** Replays that a search for both goodputs takes, about, and one for a plan. */
const goodputReplays = 20;
const planReplays = 15;

export function simulateCommand(onCode: (code: number) => void): Command {
  return simulateWords().action((file: string | undefined, switches: SimulateSwitches) => {
    try {
      run(file, switches);
      onCode(0);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      printMessage("emerg", error.message);
      onCode(1);
    }
  });
}

/** What was asked for cannot be done. */
class Refusal extends Error {}

function run(file: string | undefined, switches: SimulateSwitches): void {
  const trace = readTrace(file, switches);
  const options = {
    ...switches,
    scales: switches.scale,
    profile: switches.engineProfile,
    spreadMs: switches.spread,
  };
  if (switches.plan) plan(trace, switches, options);
  else compare(file === undefined ? switches.synthetic! : basename(file), trace, switches, options);
}

function readTrace(
  file: string | undefined,
  { synthetic, seed }: SimulateSwitches,
): TraceRequest[] {
  if ((file === undefined) === (synthetic === undefined)) {
    throw new Refusal("name a trace, or --synthetic in its place");
  }
  try {
    if (synthetic !== undefined) return syntheticTrace(synthetic, seed);
    return parseTrace(readFileSync(file!, "utf8"));
  } catch (error) {
    throw new Refusal(`${file ?? "--synthetic"}: ${(error as Error).message}`);
  }
}

function compare(
  name: string,
  trace: readonly TraceRequest[],
  { report: reportFile, json, policies, scale, goodput }: SimulateSwitches,
  options: SimulateOptions,
): void {
  const problem = reportFile === undefined ? undefined : logFileProblem(reportFile);
  if (problem !== undefined) throw new Refusal(problem);
  const rows: Row[] = [];
  const report = reportFile === undefined ? undefined : new Report(scale);
  const progress = new Progress(policies.length * (scale.length + (goodput ? goodputReplays : 0)));
  const onReplay = (replayed: Replayed) => {
    progress.step();
    report?.replayed(replayed);
  };
  for (const row of simulate(trace, options, onReplay)) {
    rows.push(row);
    report?.row(row);
    if (json) print(`${JSON.stringify(jsonOf(row))}\n`);
  }
  progress.end();
  if (!json) print(tableOf(rows));
  if (report !== undefined) {
    writeFileSync(reportFile!, report.html(`Policies on ${name}`, factsOf(trace, options)));
  }
}

function plan(
  trace: readonly TraceRequest[],
  { policies, rate, engines, json, slo }: SimulateSwitches,
  options: SimulateOptions,
): void {
  if (engines === 1) throw new Refusal("--engines: one to prefill and one to decode are two");
  if (trace.at(-1)!.arrivalMs === 0)
    throw new Refusal("all requests come at once: there is no rate");
  const traceRate = rateOf(trace);
  const progress = new Progress(policies.length * planReplays * (engines === undefined ? 1 : 5));
  const trials = new Trials(trace, options, () => progress.step());
  const plans = policies.map((policy): Plan => {
    const asked = rate ?? traceRate;
    if (engines === undefined) return leastEngines(trials, policy, asked / traceRate, asked);
    return bestSplit(trials, policy, engines, traceRate);
  });
  progress.end();
  if (json) for (const one of plans) print(`${JSON.stringify(planJson(one))}\n`);
  else print(`${planTable(plans, rate)}SLO: ${sloText(slo)}, in each decile of input length\n`);
}
