/** Dispatches the command line: to a command, a switch of nginx, or serving. */
import { existsSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { currentRuntime, type Runtime } from "../config/check/runtime.ts";
import type { ConfigSource } from "../config/load.ts";
import { didYouMean } from "../config/problems/suggest.ts";
import { commandNames, loadCommand, type RunOptions } from "./commands.ts";
import { helpText } from "./help.ts";
import { readFlags } from "./options/flag-options.ts";
import { parseSwitches, type Switches } from "./options/switches.ts";
import { readPageFiles } from "./page-files.ts";
import { print, printError, printMessage } from "./print.ts";
import { versionLines } from "./version.ts";

/** What a worker thread runs, as it is compiled. */
const realWorker = new URL("../proxy/worker/worker-thread.js", import.meta.url);
/** As nginx's default, below the prefix. */
const defaultFile = "conf/nginx.conf";
/** Wrong usage of `check`, whose 1 says that something is wrong with the engines. */
const checkUsageCode = 2;

/** Runs the command line of this process and ends it with the exit code. */
export async function runProgram(options: Partial<RunOptions> = {}): Promise<void> {
  try {
    const code = await run(process.argv.slice(2), options);
    if (code !== undefined) process.exit(code);
  } catch (error) {
    // Only a defect of this program gets here.
    printMessage("emerg", error instanceof Error ? (error.stack ?? error.message) : String(error));
    process.exit(1);
  }
}

/** @returns the exit code; undefined for a command that keeps running */
export async function run(
  args: readonly string[],
  others: Partial<RunOptions> = {},
): Promise<number | undefined> {
  const options = { workerEntry: realWorker, pageFiles: readPageFiles, ...others };
  const runtime = currentRuntime();
  const [first] = args;
  if (first !== undefined && commandNames.includes(first)) {
    return runCommand(first, args.slice(1), runtime, options);
  }
  if (args.includes("--help")) {
    print(helpText());
    return 0;
  }
  if (args.includes("--version")) {
    print(versionLines(runtime, true));
    return 0;
  }
  if (first === undefined && !existsSync(defaultFile)) {
    printError(helpText());
    return 1;
  }
  const parsed = parseSwitches(args);
  if ("error" in parsed) return refuse(parsed.error);
  const { switches, rest } = parsed;
  if (switches.help || switches.version) {
    printError(versionLines(runtime, switches.details));
    if (switches.help) printError(`${helpText()}`);
    if (!switches.test) return 0;
  }
  const source = findSource(switches, rest);
  if ("error" in source) return refuse(source.error);
  return useSource(source, switches, runtime, options);
}

/** Loads what reads configurations only when one is read: an engine or a version starts in half the time. */
async function useSource(
  source: ConfigSource,
  switches: Switches,
  runtime: Runtime,
  options: RunOptions,
): Promise<number | undefined> {
  if (switches.test) {
    return (await import("./test-config.ts")).testConfig(source, runtime, switches);
  }
  if (switches.signal !== undefined) {
    return (await import("./signal.ts")).signalInstance(source, runtime, switches.signal);
  }
  return (await import("./serve.ts")).serve({ source, runtime, ...options });
}

/** A file or flags, but not both: which one wins would be a guess. */
function findSource(
  switches: Switches,
  rest: readonly string[],
): ConfigSource | { readonly error: string } {
  const { file = defaultFile, prefix, directives } = switches;
  const [first] = rest;
  if (first === undefined) {
    return {
      file,
      ...(prefix === undefined ? {} : { prefix }),
      ...(directives === undefined ? {} : { directives }),
    };
  }
  if (!first.startsWith("--")) {
    const hint = didYouMean(first, commandNames);
    return { error: `invalid option: "${first}"${hint === undefined ? "" : ` (${hint})`}` };
  }
  const flags = readFlags(rest);
  if ("error" in flags) return flags;
  const flag = first.replace(/=.*$/s, "");
  if (switches.file !== undefined) {
    return { error: `${flag} cannot be combined with -c: the file names the engines` };
  }
  if (prefix !== undefined) return { error: `-p has no effect with ${flag}: it needs -c FILE` };
  if (directives !== undefined) return { error: `-g has no effect with ${flag}: it needs -c FILE` };
  return { flags };
}

function refuse(message: string): number {
  printError(`global-proxy: ${message}\n`);
  return 1;
}

async function runCommand(
  name: string,
  words: readonly string[],
  runtime: Runtime,
  options: RunOptions,
): Promise<number | undefined> {
  let code: number | undefined;
  const onCode = (result: number) => {
    code = result;
  };
  const command = await loadCommand(name, { runtime, options, onCode });
  const output = { writeOut: print, writeErr: printError };
  for (const one of [command, ...command.commands]) one.exitOverride().configureOutput(output);
  const program = new Command("global-proxy").exitOverride().configureOutput(output);
  try {
    await program.addCommand(command).parseAsync([name, ...words], { from: "user" });
    return code;
  } catch (error) {
    // Commander has printed what is wrong.
    if (error instanceof CommanderError) {
      return name === "check" && error.exitCode !== 0 ? checkUsageCode : error.exitCode;
    }
    throw error;
  }
}
