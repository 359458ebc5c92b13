/** `-s`: finds the running instance through its pid file and sends it a signal. */
import { describeSystemError } from "../../config/problems/system-error.ts";
import { isInstance, isZombie, readPid } from "./pid-file.ts";

export const signalNames = ["stop", "quit", "reload", "reopen", "upgrade"] as const;
export type SignalName = (typeof signalNames)[number];

/** The signals that an instance handles, by nginx's names. */
export const signalOf = {
  stop: "SIGTERM",
  quit: "SIGQUIT",
  reload: "SIGHUP",
  reopen: "SIGUSR1",
  upgrade: "SIGUSR2",
} as const satisfies Record<SignalName, NodeJS.Signals>;

/** With nginx's level of that error. */
export interface SignalProblem {
  readonly level: "error" | "alert";
  readonly message: string;
}

/** @returns undefined = the signal was sent; otherwise why not */
export function sendSignal(pidFile: string, name: SignalName): SignalProblem | undefined {
  const pid = readPid(pidFile);
  if (typeof pid !== "number") return { level: "error", message: pid.problem };
  const signal = signalOf[name];
  try {
    process.kill(pid, 0);
    if (isZombie(pid)) throw Object.assign(new Error("zombie"), { code: "ESRCH", errno: -3 });
    if (!isInstance(pid, pidFile)) {
      const message = `process ${pid} did not write "${pidFile}": it is another program`;
      return { level: "error", message };
    }
    process.kill(pid, signal);
    return undefined;
  } catch (error) {
    const reason = describeSystemError(error as NodeJS.ErrnoException);
    return { level: "alert", message: `kill(${pid}, ${signal}) failed (${reason})` };
  }
}
