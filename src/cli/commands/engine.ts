/** `global-proxy engine`: a simulated engine in the foreground. */

import { Command, InvalidArgumentError, Option } from "commander";
import { dialectNames } from "../../simulated-engine/dialects/registry.ts";
import { type Fault, faultKinds, parseFault } from "../../simulated-engine/faults/fault.ts";
import { type EngineOptions, engineDefaults } from "../../simulated-engine/options.ts";
import { engineRoles } from "../../simulated-engine/roles.ts";
import { type RunningEngine, startEngine } from "../../simulated-engine/server.ts";
import { print, printMessage } from "../print.ts";

const defaults = engineDefaults;

/** What the command line of an engine says. */
export type Switches = EngineOptions & {
  readonly model: string;
  readonly engineVersion: string;
  readonly fault: readonly Fault[];
};

export function engineCommand(): Command {
  const command = new Command("engine")
    .description("run a simulated engine that enforces its KV-transfer protocol")
    .addOption(
      new Option("--role <role>", "what it does in a P/D pair")
        .choices(engineRoles)
        .makeOptionMandatory(),
    )
    .option(
      "--dialect <name>",
      `KV-transfer protocol, as name[:key=value,…]; names: ${dialectNames.join(", ")}`,
      defaults.dialect,
    )
    .option(
      "--ec-transfer <how>",
      "how encode engines give embeddings to the others: shared[:path=FOLDER] or pull (default: none)",
      defaults.ecTransfer,
    )
    .option("--port <port>", "port to listen on; 0 = a free one", notNegative, defaults.port)
    .option("--host <host>", "address to listen on", defaults.host)
    .option(
      "--kv-port <port>",
      "port that other engines call, for example to fetch KV; 0 = a free one",
      notNegative,
      defaults.kvPort,
    )
    .option("--model <name>", "name of the model that it serves", defaults.model)
    .option("--engine-version <version>", "version that it says it is", defaults.version)
    .option("--adapters <name...>", "LoRA adapters that it has loaded (default: none)");
  addTiming(command);
  addCaches(command);
  addResponses(command);
  return command
    .option("--fault <spec>", `kind[:key=value,…]; kinds: ${faultKinds.join(", ")}`, fault, [])
    .action(run);
}

function addTiming(command: Command): void {
  command
    .option(
      "--prefill-tokens-per-second <n>",
      "speed of prefill; 0 = it takes no time",
      notNegative,
      defaults.prefillTokensPerSecond,
    )
    .option("--itl-ms <ms>", "time between two tokens", notNegative, defaults.itlMs)
    .option(
      "--batch-penalty-ms <ms>",
      "what each further request in the batch adds to that",
      notNegative,
      defaults.batchPenaltyMs,
    )
    .option(
      "--jitter <fraction>",
      "times vary by ± this fraction, 0 to 1",
      notNegative,
      defaults.jitter,
    )
    .option("--seed <n>", "seed of the jitter", notNegative, defaults.seed)
    .option(
      "--kv-lease-ms <ms>",
      "how long KV is held for another engine (default: the dialect's)",
      notNegative,
    )
    .option(
      "--kv-transfer-ms <ms>",
      "wait before KV is fetched",
      notNegative,
      defaults.kvTransferMs,
    )
    .option(
      "--keep-alive-ms <ms>",
      "idle connections are closed after this time; 0 = never",
      notNegative,
      defaults.keepAliveMs,
    );
}

function addCaches(command: Command): void {
  command
    .option("--prefix-cache", "cached prompt prefixes need no prefill time", defaults.prefixCache)
    .option(
      "--kv-cache-tokens <n>",
      "size of the prefix cache in tokens",
      notNegative,
      defaults.kvCacheTokens,
    )
    .option(
      "--kv-events <port>",
      "port at which KV events are published, as vLLM does; implies --prefix-cache; 0 = none",
      notNegative,
      defaults.kvEvents,
    )
    .option(
      "--kv-events-to <host:port>",
      "where it connects to publish KV events, instead of a port of its own",
      defaults.kvEventsTo,
    )
    .option("--kv-topic <topic>", "topic of KV events", defaults.kvTopic)
    .option(
      "--kv-replay <port>",
      "port for the replay of missed KV events; 0 = none",
      notNegative,
      defaults.kvReplay,
    );
}

function addResponses(command: Command): void {
  command
    .option(
      "--max-model-len <tokens>",
      "most tokens of prompt and response together",
      notNegative,
      defaults.maxModelLen,
    )
    .option(
      "--prompt-tokens-details",
      "the usage includes how many prompt tokens were not computed",
      defaults.promptTokensDetails,
    )
    .option(
      "--dev-mode",
      "show the configuration at /server_info, as vLLM does with VLLM_SERVER_DEV_MODE=1",
      defaults.devMode,
    )
    .option("--api-key <key>", "what clients have to send as a key; none by default", "")
    .option(
      "--tls-certificate <file>",
      "PEM of its certificate; with --tls-key it speaks HTTPS",
      "",
    )
    .option("--tls-key <file>", "PEM of that certificate's key", "")
    .option("--tls-client-ca <file>", "PEM of the issuer whose certificates clients must have", "")
    .option(
      "--eos-after-tokens <n>",
      "responses end by themselves after this many tokens, unless min_tokens forbids it; 0 = at their natural length",
      notNegative,
      defaults.eosAfterTokens,
    )
    .option(
      "--created <seconds>",
      "`created` of all responses; now = the real time",
      created,
      defaults.created,
    );
}

/** Starts it in this process. Rejects as {@link startEngine} does. */
export function startBySwitches(switches: Switches): Promise<RunningEngine> {
  const { fault: faults, engineVersion, ...options } = switches;
  return startEngine({ ...options, version: engineVersion, faults });
}

async function run(switches: Switches): Promise<void> {
  try {
    const engine = await startBySwitches(switches);
    print(`${switches.role} engine ${switches.model} on ${engine.url}\n`);
    const stop = (): void => {
      engine.close().then(() => process.exit(0));
    };
    process.once("SIGTERM", stop);
    process.once("SIGINT", stop);
  } catch (error) {
    printMessage("error", `engine: ${(error as Error).message}`);
    process.exitCode = 1;
  }
}

function notNegative(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value) || value < 0) {
    throw new InvalidArgumentError("It must be a number of at least 0.");
  }
  return value;
}

function created(text: string): number | "now" {
  return text === "now" ? text : notNegative(text);
}

function fault(spec: string, previous: Fault[]): Fault[] {
  try {
    return [...previous, parseFault(spec)];
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}
