/** The pid file: lets `-s` find the running instance, and prevents a second one from starting. */
import { createHash } from "node:crypto";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { describeOpenError } from "../../config/problems/system-error.ts";

/**
 * The pid file of an instance whose configuration names none. It depends on the user and the file alone, so that `-s
 * stop -c FILE` finds it from any shell: in `/run` for root, in a private folder in `/tmp` for other users.
 */
export function defaultPidFile(configFile: string): string {
  const hash = createHash("sha256").update(realPath(configFile)).digest("hex").slice(0, 12);
  return join(runFolder(), `${basename(configFile)}-${hash}.pid`);
}

function realPath(file: string): string {
  try {
    return realpathSync(file);
  } catch {
    return file;
  }
}

function runFolder(): string {
  const uid = process.getuid?.() ?? 0;
  return uid === 0 && existsSync("/run") ? "/run/global-proxy" : `/tmp/global-proxy-${uid}`;
}

/** The pid in a file, or what is wrong with it as nginx words it. */
export function readPid(file: string): number | { readonly problem: string } {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    return { problem: describeOpenError(file, error as NodeJS.ErrnoException) };
  }
  const pid = /^\d{1,10}$/.test(text.trim()) ? Number(text) : 0;
  return pid > 0 ? pid : { problem: `invalid PID number "${text.trim()}" in "${file}"` };
}

/**
 * Writes this process's id. The file of a dead instance is overwritten; that of a living one is a problem, since two
 * instances of one configuration would receive each other's signals.
 */
export function writePidFile(file: string): string | undefined {
  const other = runningInstance(file);
  if (other !== undefined) return `already running: process ${other}, as "${file}" says`;
  try {
    if (file.startsWith(`${runFolder()}/`)) makeRunFolder();
    writeFileSync(file, `${process.pid}\n`, { mode: 0o644 });
    return undefined;
  } catch (error) {
    return describeOpenError(file, error as NodeJS.ErrnoException);
  }
}

/** The pid of the living instance that wrote the file; undefined = none, or it is this process. */
export function runningInstance(file: string): number | undefined {
  const pid = readPid(file);
  if (typeof pid !== "number" || pid === process.pid) return undefined;
  return isInstance(pid, file) ? pid : undefined;
}

/** Removes the file, unless another process has written it since. */
export function removePidFile(file: string): void {
  if (readPid(file) === process.pid) rmSync(file, { force: true });
}

/**
 * Whether a process is the one that wrote a pid file, and not a later one with the same id: that one has started after
 * the file was written. Where the system does not report start times, every living process counts.
 */
export function isInstance(pid: number, file: string): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
  }
  const startMs = processStartMs(pid);
  // Start times are counted in steps of 10 ms by a clock that drifts from the wall clock.
  const slackMs = 60_000;
  return startMs === undefined || startMs <= statSync(file).mtimeMs + slackMs;
}

/** When a process started, in ms since the epoch; from Linux's /proc. */
function processStartMs(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const boot = /^btime (\d+)$/m.exec(readFileSync("/proc/stat", "utf8"))?.[1];
    // The second field is the program's name in brackets and may have any characters; field 22 is the start, in 1/100 s
    // since boot.
    const ticks = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
    return Number(boot) * 1000 + Number(ticks) * 10;
  } catch {
    return undefined;
  }
}

function makeRunFolder(): void {
  const folder = runFolder();
  mkdirSync(folder, { mode: 0o700, recursive: true });
  // In /tmp any user could have created the folder before, and could then redirect signals.
  const stat = lstatSync(folder);
  if (!stat.isDirectory() || stat.uid !== (process.getuid?.() ?? 0)) {
    throw Object.assign(new Error("not a folder of this user"), { code: "EPERM" });
  }
}
