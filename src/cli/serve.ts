/** Serves a configuration in the foreground until a signal ends it. */
import { setFlagsFromString } from "node:v8";
import type { Runtime } from "../config/check/runtime.ts";
import { type ConfigSource, configFilePath, loadConfig } from "../config/load.ts";
import { type Command, type Inheritance, takeInheritance } from "../control/process/inheritance.ts";
import { Instance, type InstanceOptions, type StartReport } from "../control/process/instance.ts";
import { defaultPidFile } from "../control/process/pid-file.ts";
import { withRequirements } from "../control/process/requirements.ts";
import { handleSignals } from "../control/process/signals.ts";
import { ServeError } from "../control/serve-error.ts";
import type { BoundAddress } from "../proxy/worker/messages.ts";
import { systemClock } from "../transport/clock.ts";
import { systemRandom } from "../transport/random.ts";
import { printMessage, printProblem } from "./print.ts";
import { version } from "./version.ts";

export interface ServeOptions
  extends Pick<InstanceOptions, "workerEntry" | "workerHangMs" | "pageFiles"> {
  readonly source: ConfigSource;
  readonly runtime: Runtime;
}

/**
 * Has V8 match by an automaton, in linear time, what has gone back 50,000 times in a regular expression of the
 * configuration: a client must not block a worker by its path. V8 has no automaton for look-around, back references and
 * `~*`. JavaScriptCore gives up after about half a second by itself.
 */
const linearRegexes = "--enable-experimental-regexp-engine-on-excessive-backtracks";

/** @returns the exit code. */
export async function serve({ source, runtime, ...more }: ServeOptions): Promise<number> {
  if (runtime.name === "Node") setFlagsFromString(linearRegexes);
  let inheritance: Inheritance | undefined;
  try {
    inheritance = takeInheritance();
  } catch (error) {
    if (!(error instanceof ServeError)) throw error;
    printMessage("emerg", error.message);
    return 1;
  }
  const load = () => loadConfig(source, runtime);
  // A process that takes over has lists of engines of the one before.
  const loaded = withRequirements(await load(), () => inheritance !== undefined);
  for (const notice of loaded.notices) if (notice.level === "warn") printProblem(notice);
  if ("errors" in loaded) {
    loaded.errors.forEach(printProblem);
    return 1;
  }
  const instance = new Instance({
    config: loaded.config,
    version,
    load,
    runtime,
    clock: systemClock,
    random: systemRandom,
    command: startedAs(),
    inheritance,
    ...("flags" in source ? {} : { pidFile: defaultPidFile(configFilePath(source)) }),
    ...more,
  });
  return runInstance(instance, (report) => printMessage("notice", startLine(runtime, report)));
}

/** How to start this program again, as it is installed then. `bin/global-proxy` says under which name it was called. */
function startedAs(): Command {
  const program = process.env["GLOBAL_PROXY_PROGRAM"];
  const [file, main, ...args] = process.argv;
  if (program !== undefined) return { file: program, args };
  return { file: file!, args: [...process.execArgv, main!, ...args] };
}

/** Starts an instance and passes the signals of the process to it until it has ended. */
export async function runInstance(
  instance: Instance,
  onStarted: (report: StartReport) => void,
): Promise<number> {
  const ignoreSignals = handleSignals(instance);
  try {
    onStarted(await instance.start());
  } catch (error) {
    if (instance.stopping) return await instance.ended;
    if (!(error instanceof ServeError)) throw error;
    printMessage("emerg", error.message);
    return 1;
  }
  const code = await instance.ended;
  ignoreSignals();
  return code;
}

/** `0.1.0 on Bun 1.4.5, 1 worker, listening on http://0.0.0.0:8080`. */
export function startLine(runtime: Runtime, { workers, addresses }: StartReport): string {
  const places = [...new Set(addresses.map(formatAddress))].join(", ");
  const count = `${workers} ${workers === 1 ? "worker" : "workers"}`;
  return `${version} on ${runtime.name} ${runtime.version}, ${count}, listening on ${places}`;
}

export function formatAddress(address: BoundAddress): string {
  if ("unixPath" in address) return `unix:${address.unixPath}`;
  const host = address.host.includes(":") ? `[${address.host}]` : address.host;
  return `http://${host}:${address.port}`;
}
