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
  utimesSync,
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

/** Why a pid file was not written. */
export interface PidFileProblem {
  readonly message: string;
  /** Nobody could write it there, as on a read-only root. */
  readonly isUnwritable: boolean;
}

const unwritable: ReadonlySet<string | undefined> = new Set(["EROFS", "EACCES", "ENOENT"]);

/**
 * Writes this process's id. The file of a dead instance is overwritten; that of a living one is a problem, since two
 * instances of one configuration would receive each other's signals.
 */
export function writePidFile(file: string): PidFileProblem | undefined {
  const other = runningInstance(file);
  if (other !== undefined) {
    const message = `already running: process ${other}, as "${file}" says`;
    return { message, isUnwritable: false };
  }
  try {
    if (file.startsWith(`${runFolder()}/`)) makeRunFolder();
    writeFileSync(file, `${process.pid}\n`, { mode: 0o644 });
    // Scripts read the file's only line as the pid, so that the start time has no place in it but its own time.
    const start = processStart(process.pid);
    if (start === undefined) return undefined;
    const seconds = (start * msPerTick) / 1000;
    utimesSync(file, seconds, seconds);
    return undefined;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const message = describeOpenError(file, error as NodeJS.ErrnoException);
    return { message, isUnwritable: unwritable.has(code) };
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
 * Whether a process is the one that wrote a pid file, and not a later one with the same id: the file's time is when its
 * writer started. A zombie has ended. Where the system does not say when processes started, every living one counts.
 */
export function isInstance(pid: number, file: string): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
  }
  if (processStart(process.pid) === undefined) return true;
  const start = processStart(pid);
  return start !== undefined && Math.round(statSync(file).mtimeMs / msPerTick) === start;
}

/** Linux counts the start times of processes in these, whatever the kernel's own clock rate is (`USER_HZ`). */
const msPerTick = 10;

/** Whether a process has ended, and only its parent does not know it yet. */
export function isZombie(pid: number): boolean {
  return /^[ZX]$/.test(statOf(pid)[0] ?? "");
}

/** When a process started, in ticks since the system booted, a clock that nobody sets; undefined = it does not run. */
function processStart(pid: number): number | undefined {
  const start = statOf(pid)[19];
  return start === undefined || isZombie(pid) ? undefined : Number(start);
}

/** The fields of Linux's `/proc/PID/stat` from the third on, the state; none where it is missing. */
function statOf(pid: number): string[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The second field is the program's name in brackets, and may have any characters.
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  } catch {
    return [];
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
