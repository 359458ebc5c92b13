/** `global-proxy simulate`: replays a trace in virtual time to compare policies or to plan a fleet. */
import { readFileSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import type { Command } from "commander";
import { loadCustomPolicies } from "../../lab/custom-policies.ts";
import { CustomPolicyFault } from "../../lab/custom-policy-fault.ts";
import { conditionsOf } from "../../lab/report/conditions.ts";
import { Report } from "../../lab/report/page.ts";
import {
  bestSplit,
  leastEngines,
  type Plan,
  planJson,
  planTable,
  rateOf,
} from "../../lab/results/capacity-plan.ts";
import { resultJson, resultTable } from "../../lab/results/result-table.ts";
import { sloText } from "../../lab/results/slo.ts";
import {
  type PolicyResult,
  type Replayed,
  type SimulateOptions,
  simulate,
  Trials,
} from "../../lab/simulate.ts";
import { syntheticTrace } from "../../lab/traces/synthetic.ts";
import { parseTrace, type TraceRequest } from "../../lab/traces/trace.ts";
import { logFileProblem } from "../../observe/log-file.ts";
import { print, printMessage } from "../print.ts";
import { Progress } from "../progress.ts";
import { conflictOf, type SimulateFlags, simulateFlags } from "./simulate-flags.ts";

/** About how many replays a search for both goodputs takes, and a plan. */
const goodputReplays = 20;
const planReplays = 15;

export function simulateCommand(onCode: (code: number) => void): Command {
  const command = simulateFlags();
  return command.action(async (file: string | undefined, flags: SimulateFlags) => {
    try {
      const conflict = conflictOf(command);
      if (conflict !== undefined) throw new UsageError(conflict);
      await loadCustomPolicies([...flags.policies, flags.decodePolicy]);
      run(file, flags);
      onCode(0);
    } catch (error) {
      if (!(error instanceof UsageError || error instanceof CustomPolicyFault)) throw error;
      printMessage("emerg", error.message);
      onCode(1);
    }
  });
}

/** The flags or the trace do not allow a simulation. */
class UsageError extends Error {}

function run(file: string | undefined, flags: SimulateFlags): void {
  const trace = readTrace(file, flags);
  const options = {
    ...flags,
    scales: flags.scale,
    profile: flags.engineProfile,
    spreadMs: flags.spread,
  };
  if (flags.plan) plan(trace, flags, options);
  else compare(file === undefined ? flags.synthetic! : basename(file), trace, flags, options);
}

function readTrace(file: string | undefined, { synthetic, seed }: SimulateFlags): TraceRequest[] {
  if ((file === undefined) === (synthetic === undefined)) {
    throw new UsageError("give either a trace file or --synthetic");
  }
  try {
    if (synthetic !== undefined) return syntheticTrace(synthetic, seed);
    return parseTrace(readFileSync(file!, "utf8"));
  } catch (error) {
    throw new UsageError(`${file ?? "--synthetic"}: ${(error as Error).message}`);
  }
}

function compare(
  name: string,
  trace: readonly TraceRequest[],
  { report: reportFile, json, policies, scale, goodput }: SimulateFlags,
  options: SimulateOptions,
): void {
  const problem = reportFile === undefined ? undefined : logFileProblem(reportFile);
  if (problem !== undefined) throw new UsageError(problem);
  const rows: PolicyResult[] = [];
  const report = reportFile === undefined ? undefined : new Report(scale);
  const progress = new Progress(policies.length * (scale.length + (goodput ? goodputReplays : 0)));
  const onReplay = (replayed: Replayed) => {
    progress.step();
    report?.replayed(replayed);
  };
  for (const row of simulate(trace, options, onReplay)) {
    rows.push(row);
    report?.row(row);
    if (json) print(`${JSON.stringify(resultJson(row))}\n`);
  }
  progress.end();
  if (!json) print(resultTable(rows));
  if (report !== undefined) {
    writeFileSync(reportFile!, report.html(`Policies on ${name}`, conditionsOf(trace, options)));
  }
}

function plan(
  trace: readonly TraceRequest[],
  { policies, rate, engines, json, slo }: SimulateFlags,
  options: SimulateOptions,
): void {
  if (engines === 1)
    throw new UsageError("--engines must be at least 2: one to prefill and one to decode");
  if (trace.at(-1)!.arrivalMs === 0)
    throw new UsageError(
      "all requests of the trace arrive at the same time, so it has no rate to plan for",
    );
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
