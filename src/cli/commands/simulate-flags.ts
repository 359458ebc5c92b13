/** The flags of `global-proxy simulate`, and how their values are checked. */
import { Command, InvalidArgumentError, Option } from "commander";
import { didYouMean } from "../../config/problems/suggest.ts";
import { parsePolicy } from "../../config/schema/pool/policy-text.ts";
import { isShortForm } from "../../config/schema/pool/short-form.ts";
import { parseQueue, queueNames, splitQueue } from "../../lab/peer-queue.ts";
import { dense70b, type EngineProfile } from "../../lab/profile.ts";
import { readProfile } from "../../lab/profiles/file.ts";
import { profiles } from "../../lab/profiles/index.ts";
import { prefillPolicyNames } from "../../lab/replay.ts";
import { defaultSlo, parseSlo, type Slo } from "../../lab/results/slo.ts";

export interface SimulateFlags {
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
  readonly slo: Slo;
  readonly report?: string;
  readonly synthetic?: string;
  readonly plan: boolean;
  /** Requests a second. */
  readonly rate?: number;
  readonly engines?: number;
}

/** Flags that have an effect only with `--plan`, and only without it. */
const planFlags = ["rate", "engines"] as const;
const compareFlags = ["prefill", "decode", "scale", "goodput", "report"] as const;

/** What is wrong with flags that are given together; undefined = nothing. */
export function conflictOf(command: Command): string | undefined {
  const isGiven = (flag: string) => command.getOptionValueSource(flag) === "cli";
  if (isGiven("plan")) {
    const flag = compareFlags.find(isGiven);
    return (
      flag && `--${flag} cannot be combined with --plan, which searches the fleet and the rate`
    );
  }
  const flag = planFlags.find(isGiven);
  return (
    flag &&
    `--${flag} needs --plan: without it, --prefill, --decode and --scale set the fleet and the rate`
  );
}

export function simulateFlags(): Command {
  const command = new Command("simulate")
    .description("replay a request trace in virtual time under several policies")
    .argument("[trace]", "JSON lines: timestamp (ms), input_length, output_length, hash_ids")
    .option(
      "--synthetic <spec>",
      "generate requests instead of reading a trace: poisson:RATE[,requests=N][,input=TOKENS]" +
        "[,output=TOKENS][,chats=SHARE][,burst=VARIATION][,systems=N][,system=TOKENS]",
    )
    .option("--prefill <n>", "prefill engines", engines, 4)
    .option("--decode <n>", "decode engines", engines, 4)
    .option(
      "--policies <names>",
      `comma-separated, with options as in name?option=value: ${prefillPolicyNames.join(", ")}; ` +
        `behind a queue of another router as in name+QUEUE: ${queueNames.join(", ")}`,
      policies,
      ["length_balance", "least_bytes", "predictive"],
    )
    .addOption(
      new Option("--decode-policy <name>", "policy of the decode engines")
        .choices(prefillPolicyNames.filter((name) => !isShortForm({ name })))
        .default("least_kv"),
    )
    .option("--scale <factors>", "comma-separated factors of the trace's rate", scales, [1])
    .addOption(
      new Option(
        "--engine-profile <name>",
        `how fast engines are: FILE.json (see calibrate), ${[...profiles.keys()].join(", ")}`,
      )
        .argParser(profileNamed)
        .default(dense70b, dense70b.name),
    );
  return addSearchFlags(addModelFlags(command));
}

/** What is random, and how engines differ from what policies expect. */
function addModelFlags(command: Command): Command {
  return command
    .option(
      "--seed <n>",
      "of everything random: arrivals within a tick, noise, ties",
      notNegative,
      1,
    )
    .option(
      "--spread <ms>",
      "spread the arrivals of one tick of the trace's clock over this time",
      notNegative,
      0,
    )
    .option(
      "--cache-fraction <f>",
      "share of the trace's distinct blocks that the cache of each prefill engine holds",
      notNegative,
      0.1,
    )
    .option("--noise <s>", "standard deviation of the logarithm of prefill times", notNegative, 0.1)
    .option(
      "--slowest <factor>",
      "factor by which the last prefill engine is slower than the others",
      notNegative,
      1,
    );
}

/** What is judged, searched and written. */
function addSearchFlags(command: Command): Command {
  return command
    .addOption(
      new Option(
        "--slo <slo>",
        "what requests must meet: ttft=MS or ttft=FACTORx+MS, tpot=MS; share=SHARE of them",
      )
        .argParser(slo)
        .default(defaultSlo, "ttft=5x+1000,tpot=60,share=0.9"),
    )
    .option("--goodput", "search the highest scale at which enough requests meet the SLO", false)
    .option("--plan", "search the fewest engines for --rate, or the best split of --engines", false)
    .option("--rate <r>", "with --plan: requests a second (default: those of the trace)", positive)
    .option("--engines <n>", "with --plan: prefill and decode engines together", engines)
    .option("--json", "print one JSON object per policy and scale", false)
    .option("--report <file>", "also write an HTML page with plots");
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

function positive(text: string): number {
  const value = notNegative(text);
  if (value === 0) throw new InvalidArgumentError("must be above 0.");
  return value;
}

function slo(text: string): Slo {
  try {
    return parseSlo(text);
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
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

function policies(list: string): string[] {
  const names = list.split(",").map((name) => name.trim());
  for (const text of names) {
    const known = [...prefillPolicyNames, "custom"];
    const [name, queue] = splitQueue(text);
    const [base = ""] = name.split("?");
    if (!known.includes(base)) {
      const hint = didYouMean(base, known) ?? `known: ${known.join(", ")}`;
      throw new InvalidArgumentError(`unknown policy "${base}"; ${hint}.`);
    }
    if (queue !== undefined && (parseQueue(queue) === undefined || isShortForm({ name: base }))) {
      const hint = `known, for policies without a queue of their own: ${queueNames.join(", ")}`;
      throw new InvalidArgumentError(`no queue "${queue}" for ${base}; ${hint}.`);
    }
    const read = parsePolicy(name, "prefill");
    if ("problem" in read) {
      throw new InvalidArgumentError(`${read.problem}${read.hint ? `; ${read.hint}` : ""}.`);
    }
  }
  return names;
}
