/** `global-proxy simulate`: replays a trace in virtual time, so that policies can be compared. */
import { readFileSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import { didYouMean } from "../config/suggest.ts";
import { dense70b, type EngineProfile } from "../lab/profile.ts";
import { readProfile } from "../lab/profiles/file.ts";
import { profiles } from "../lab/profiles/index.ts";
import { prefillPolicyNames } from "../lab/replay.ts";
import { factsOf } from "../lab/report/facts.ts";
import { Report } from "../lab/report/page.ts";
import { jsonOf, type Replayed, type Row, simulate, tableOf } from "../lab/simulate.ts";
import { parseTrace, type TraceRequest } from "../lab/trace.ts";
import { logFileProblem } from "../observe/log-file.ts";
import { print, printMessage } from "./print.ts";
import { Progress } from "./progress.ts";

/** Replays that a search for both goodputs takes, about. */
const goodputReplays = 20;

interface Switches {
  readonly prefill: number;
  readonly decode: number;
  readonly policies: readonly string[];
  readonly decodePolicy: string;
  readonly scale: readonly number[];
  readonly engineProfile: EngineProfile;
  readonly seed: number;
  readonly spread: number;
  readonly cacheFraction: number;
  readonly noise: number;
  readonly slowest: number;
  readonly goodput: boolean;
  readonly json: boolean;
  readonly report?: string;
}

export function simulateCommand(onCode: (code: number) => void): Command {
  return new Command("simulate")
    .description("replay a request trace in virtual time under several policies")
    .argument("<trace>", "JSON lines: timestamp (ms), input_length, output_length, hash_ids")
    .option("--prefill <n>", "prefill engines", engines, 4)
    .option("--decode <n>", "decode engines", engines, 4)
    .option("--policies <names>", `comma-separated; ${prefillPolicyNames.join(", ")}`, policies, [
      "length_balance",
      "least_bytes",
      "predictive",
    ])
    .addOption(
      new Option("--decode-policy <name>", "how decode engines are chosen")
        .choices(prefillPolicyNames.filter((name) => name !== "predictive"))
        .default("least_bytes"),
    )
    .option("--scale <factors>", "comma-separated factors of the trace's rate", scales, [1])
    .addOption(
      new Option(
        "--engine-profile <name>",
        `how fast engines are; FILE.json or ${[...profiles.keys()].join(", ")}`,
      )
        .argParser(profileNamed)
        .default(dense70b, dense70b.name),
    )
    .option("--seed <n>", "of arrivals within a tick, noise and ties", notNegative, 1)
    .option(
      "--spread <ms>",
      "spreads the arrivals of one tick of the trace's clock",
      notNegative,
      0,
    )
    .option(
      "--cache-fraction <f>",
      "share of the distinct blocks that each prefill engine's cache holds",
      notNegative,
      0.1,
    )
    .option("--noise <s>", "deviation of the logarithm of prefill times", notNegative, 0.1)
    .option("--slowest <factor>", "how much slower the last prefill engine is", notNegative, 1)
    .option("--goodput", "search the highest scale at which 90 % meet the SLO", false)
    .option("--json", "one object per policy and scale", false)
    .option("--report <file>", "also write an HTML page with plots")
    .action((file: string, switches: Switches) => onCode(run(file, switches)));
}

function run(file: string, switches: Switches): number {
  let trace: TraceRequest[];
  try {
    trace = parseTrace(readFileSync(file, "utf8"));
  } catch (error) {
    printMessage("emerg", `${file}: ${(error as Error).message}`);
    return 1;
  }
  const problem = switches.report === undefined ? undefined : logFileProblem(switches.report);
  if (problem !== undefined) {
    printMessage("emerg", problem);
    return 1;
  }
  const rows: Row[] = [];
  const report = switches.report === undefined ? undefined : new Report(switches.scale);
  const { policies: names, scale, goodput } = switches;
  const progress = new Progress(names.length * (scale.length + (goodput ? goodputReplays : 0)));
  const options = {
    ...switches,
    scales: switches.scale,
    profile: switches.engineProfile,
    spreadMs: switches.spread,
  };
  const onReplay = (replayed: Replayed) => {
    progress.step();
    report?.replayed(replayed);
  };
  for (const row of simulate(trace, options, onReplay)) {
    rows.push(row);
    report?.row(row);
    if (switches.json) print(`${JSON.stringify(jsonOf(row))}\n`);
  }
  progress.end();
  if (!switches.json) print(tableOf(rows));
  if (report === undefined) return 0;
  const page = report.html(`Policies on ${basename(file)}`, factsOf(trace, options));
  writeFileSync(switches.report!, page);
  return 0;
}

function profileNamed(text: string): EngineProfile {
  const known = profiles.get(text);
  if (known !== undefined) return known;
  try {
    if (text.endsWith(".json")) return readProfile(text);
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
  const names = [...profiles.keys()];
  const hint = didYouMean(text, names) ?? `known: ${names.join(", ")}`;
  throw new InvalidArgumentError(`unknown profile; ${hint}.`);
}

function notNegative(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value) || value < 0) {
    throw new InvalidArgumentError("must be a number of at least 0.");
  }
  return value;
}

function engines(text: string): number {
  const value = notNegative(text);
  if (!Number.isInteger(value) || value < 1 || value > 1024) {
    throw new InvalidArgumentError("must be a whole number from 1 to 1024.");
  }
  return value;
}

function scales(text: string): number[] {
  return text.split(",").map((part) => {
    const value = notNegative(part);
    if (value === 0) throw new InvalidArgumentError("a scale must be above 0.");
    return value;
  });
}

function policies(text: string): string[] {
  const names = text.split(",").map((name) => name.trim());
  for (const name of names) {
    if (prefillPolicyNames.includes(name)) continue;
    const hint = didYouMean(name, prefillPolicyNames) ?? `known: ${prefillPolicyNames.join(", ")}`;
    throw new InvalidArgumentError(`unknown policy "${name}"; ${hint}.`);
  }
  return names;
}
