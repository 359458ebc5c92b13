/** `check`: tries a fleet of engines, with the real proxy in front of it, before anybody depends on it. */
import { Command, InvalidArgumentError } from "commander";
import { reportJson, reportText } from "../../check/print.ts";
import { isGood } from "../../check/report.ts";
import { runCheck } from "../../check/run.ts";
import type { Runtime } from "../../config/check/runtime.ts";
import { loadWithoutModules } from "../../config/load.ts";
import { type DialectName, dialectOf } from "../../dialects/registry.ts";
import { systemClock } from "../../transport/clock.ts";
import { systemRandom } from "../../transport/random.ts";
import { printError, printMessage, printProblem, print as printText } from "../print.ts";

interface Switches {
  readonly prefill?: readonly string[];
  readonly decode?: readonly string[];
  readonly engine?: readonly string[];
  readonly dialect?: string;
  readonly kvEvents?: string;
  readonly model?: string;
  readonly header: Readonly<Record<string, string>>;
  readonly apiKeyEnv?: string;
  readonly timeout: number;
  readonly stepTimeout: number;
  readonly abortWait: number;
  readonly json: boolean;
}

/** As `run.ts` ends for what Commander rejects. */
const usageCode = 2;

export function checkCommand(
  runtime: Runtime,
  { workerEntry }: { readonly workerEntry: URL },
  onCode: (code: number) => void,
): Command {
  return new Command("check")
    .description(
      "try engines with the proxy in front: KV transfer, responses, aborts, events, load",
    )
    .option("--prefill <url...>", "prefill engines, as http://host:port")
    .option("--decode <url...>", "decode engines")
    .option("--engine <url...>", "engines that do prefill and decode, instead of both")
    .option("--dialect <name>", "how engines transfer the KV cache (default: found out)")
    .option("--kv-events <port[:replay]>", "port where engines publish their cached blocks")
    .option("--model <name>", "model to ask for (default: one that all engines list)")
    .option("--header <line>", "'NAME: VALUE', sent with each request; may be repeated", header, {})
    .option("--api-key-env <name>", "environment variable with the engines' API key")
    .option("--timeout <s>", "end after this time", upTo(86_400), 300)
    .option("--step-timeout <s>", "longest wait for one response", upTo(3_600), 30)
    .option(
      "--abort-wait <s>",
      "longest wait for engines to free what clients left behind",
      upTo(3_600),
      60,
    )
    .option("--json", "print the report for programs", false)
    .action(async (switches: Switches) => onCode(await run(switches, runtime, workerEntry)));
}

/** @returns 0 = nothing failed, 1 = something did, 2 = wrong usage */
async function run(switches: Switches, runtime: Runtime, workerEntry: URL): Promise<number> {
  const { prefill = [], decode = [], engine = [], json } = switches;
  const key = readKey(switches.apiKeyEnv);
  if (key === undefined) return usageCode;
  const flags = {
    prefill,
    decode,
    ...(engine.length > 0 && { engine }),
    dialect: switches.dialect ?? (engine.length > 0 ? "plain" : "auto"),
    ...(switches.kvEvents !== undefined && { kvEvents: switches.kvEvents }),
    listen: "127.0.0.1:0",
  };
  if (prefill.length + decode.length + engine.length === 0) {
    printMessage(
      "emerg",
      "no engine is named: write --prefill URL… --decode URL…, or --engine URL…",
    );
    return usageCode;
  }
  const loaded = loadWithoutModules({ flags }, runtime);
  if ("errors" in loaded) {
    loaded.errors.forEach(printProblem);
    return usageCode;
  }
  const { config } = loaded;
  const dialect = switches.dialect as DialectName | "auto" | undefined;
  if (!json) printText(beforehand(switches));
  const stop = new AbortController();
  // The first Ctrl-C prints what has been found; the second one ends the process at once.
  process.once("SIGINT", () => stop.abort());
  process.once("SIGTERM", () => stop.abort());
  const report = await runCheck({
    config,
    dialect: dialect && dialectOf(dialect) && (dialect as DialectName),
    model: switches.model,
    headers: { ...switches.header, ...key },
    bounds: {
      totalMs: switches.timeout * 1_000,
      stepMs: switches.stepTimeout * 1_000,
      abortWaitMs: switches.abortWait * 1_000,
    },
    deps: { runtime, clock: systemClock, random: systemRandom, workerEntry },
    stop: stop.signal,
    onFinding: ({ code }) => showProgress(json ? undefined : code),
  });
  showProgress(undefined);
  printText(json ? reportJson(report) : reportText(report, { isColoured: isColoured() }));
  return isGood(report) ? 0 : 1;
}

function beforehand({ timeout }: Switches): string {
  return (
    "Nothing is changed at the engines: a few dozen requests are sent, each with a prompt of at most 1,600 bytes\n" +
    `for at most 64 tokens, some of which are given up on purpose. This takes ${timeout} s at most.\n\n`
  );
}

/** Without key an empty object; undefined = the variable is not set. */
function readKey(name: string | undefined): Record<string, string> | undefined {
  if (name === undefined) return {};
  const key = process.env[name];
  if (key !== undefined && key !== "") return { authorization: `Bearer ${key}` };
  printMessage("emerg", `the environment variable ${name} of --api-key-env is not set`);
  return undefined;
}

function isColoured(): boolean {
  const { NO_COLOR: none = "" } = process.env;
  return process.stdout.isTTY && none === "";
}

/** On a terminal, what is being found out; undefined = nothing any more. */
function showProgress(code: string | undefined): void {
  if (!process.stderr.isTTY) return;
  printError(code === undefined ? "\r\x1b[K" : `\r\x1b[K… ${code}`);
}

function header(line: string, before: Readonly<Record<string, string>>): Record<string, string> {
  const [, name, value] = /^([A-Za-z0-9!#$%&'*+.^_`|~-]+):[ \t]*([^\r\n\0]*)$/.exec(line) ?? [];
  if (name === undefined) throw new InvalidArgumentError("It must be 'NAME: VALUE'.");
  return { ...before, [name.toLowerCase()]: value! };
}

function upTo(most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= 1 && value <= most) return value;
    throw new InvalidArgumentError(`It must be a whole number of seconds from 1 to ${most}.`);
  };
}
