/**
 * `-s upgrade`: has the running instance start the program that is installed now, and ends it when the new one serves.
 */
import { statSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import type { Clock } from "../../transport/clock.ts";
import { upgradeLookMs, upgradeStartTimeoutMs, upgradeTimeoutMs } from "../limits.ts";
import { oldSuffix } from "./owned-pid-file.ts";
import { readPid, runningInstance } from "./pid-file.ts";
import { type SignalProblem, sendSignal } from "./send-signal.ts";

export interface Upgraded {
  /** The process that serves now. */
  readonly serves: number;
  /** The one that only finishes its requests. */
  readonly ends: number;
}

export async function sendUpgrade(
  pidFile: string,
  clock: Pick<Clock, "nowMs">,
): Promise<SignalProblem | Upgraded> {
  const oldFile = pidFile + oldSuffix;
  const predecessor = runningInstance(oldFile);
  if (predecessor !== undefined) {
    return problem(`process ${predecessor} of the upgrade before still runs ("${oldFile}")`);
  }
  const old = readPid(pidFile);
  const before = changeMs(pidFile);
  const failed = sendSignal(pidFile, "upgrade");
  if (failed !== undefined || typeof old !== "number") {
    return failed ?? problem(`"${pidFile}" has no pid any more`);
  }
  const startMs = clock.nowMs();
  for (;;) {
    await delay(upgradeLookMs);
    const pid = readPid(pidFile);
    const waitedMs = clock.nowMs() - startMs;
    if (typeof pid === "number" && pid !== old) {
      return sendSignal(oldFile, "quit") ?? { serves: pid, ends: old };
    }
    if (pid === old && changeMs(pidFile) !== before) {
      // Renamed there and back.
      return problem(
        `the new process did not come up: process ${old} serves on, see its error log`,
      );
    }
    if (pid === old && waitedMs > upgradeStartTimeoutMs) {
      return problem(`process ${old} has not started an upgrade: see its error log`);
    }
    if (waitedMs > upgradeTimeoutMs + upgradeStartTimeoutMs) {
      return problem(`no new process serves after ${waitedMs} ms: see the error log`);
    }
  }
}

/** When the file was changed or renamed last; NaN = there is none. */
function changeMs(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.ctimeMs ?? Number.NaN;
}

function problem(message: string): SignalProblem {
  return { level: "error", message };
}
