/** `-s`: signals the instance that serves a configuration. */
import type { Runtime } from "../config/check/runtime.ts";
import { type ConfigSource, configFilePath, loadWithoutModules } from "../config/load.ts";
import { defaultPidFile } from "../control/process/pid-file.ts";
import { type SignalName, sendSignal } from "../control/process/send-signal.ts";
import { sendUpgrade } from "../control/process/send-upgrade.ts";
import { systemClock } from "../transport/clock.ts";
import { printMessage, printProblem } from "./print.ts";

export async function signalInstance(
  source: ConfigSource,
  runtime: Runtime,
  name: SignalName,
): Promise<number> {
  const pidFile = findPidFile(source, runtime);
  if (pidFile === undefined) return 1;
  const done =
    name === "upgrade" ? await sendUpgrade(pidFile, systemClock) : sendSignal(pidFile, name);
  if (done === undefined) return 0;
  if ("level" in done) {
    printMessage(done.level, done.message);
    return 1;
  }
  const { serves, ends } = done;
  printMessage(
    "notice",
    `process ${serves} serves; process ${ends} finishes its requests and ends`,
  );
  return 0;
}

function findPidFile(source: ConfigSource, runtime: Runtime): string | undefined {
  if ("flags" in source) {
    // The pid file is enough: engines need not be named again.
    if (source.flags.pid === undefined) {
      printMessage("emerg", "-s needs -c FILE, or --pid FILE for an instance started without one");
    }
    return source.flags.pid;
  }
  const loaded = loadWithoutModules(source, runtime);
  if ("errors" in loaded) {
    loaded.errors.forEach(printProblem);
    return undefined;
  }
  return loaded.config.pidFile ?? defaultPidFile(configFilePath(source));
}
