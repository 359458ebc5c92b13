/** Starting, pinning, ending and measuring processes; only those that the rig itself started are ever ended. */

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";

const STOP_GRACE_MS = 5000;
const KEPT_OUTPUT_CHARS = 8192;
const NS_PER_US = 1000;
/** USER_HZ: what /proc/PID/stat counts in. It is 100 on every Linux that Node runs on. */
const TICK_US = 10_000;
/** The parent of all kernel threads. */
const KTHREADD_PID = 2;

/** The rival alone has the first core; engine and load share the second. Null where there is one core only. */
export const PROXY_CORE: number | null = availableParallelism() > 1 ? 0 : null;
export const LOAD_CORE: number | null = availableParallelism() > 1 ? 1 : null;

export interface Started {
  readonly child: ChildProcess;
  readonly pid: number;
  /** The latest of standard output and error, for error messages. */
  output(): string;
  stop(): Promise<void>;
}

const running = new Set<Started>();

/** Everything that the rig writes for itself; gone when the rig ends, however it ends. */
const scratch = mkdtempSync(join(tmpdir(), "global-proxy-bench-"));
process.once("exit", () => rmSync(scratch, { recursive: true, force: true }));

/** A new folder for one rival or one load. */
export function scratchFolder(name: string): string {
  return mkdtempSync(join(scratch, `${name}-`));
}

/** Starts a program on one core with as many file descriptors as this user may have. */
export function start(
  core: number | null,
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Started {
  // Each of the shells and tools replaces itself with the next, so that the child's pid is the program's own.
  const shell = ["sh", "-c", 'ulimit -n "$(ulimit -H -n)"; exec "$@"', "sh", command, ...args];
  const line = core === null ? shell : ["taskset", "-c", String(core), ...shell];
  const child = spawn(line[0]!, line.slice(1), {
    stdio: ["pipe", "pipe", "pipe"],
    env: { ...process.env, ...env },
  });
  let kept = "";
  const keep = (data: Buffer): void => {
    kept = (kept + data.toString()).slice(-KEPT_OUTPUT_CHARS);
  };
  child.stdout.on("data", keep);
  child.stderr.on("data", keep);
  child.on("error", (error) => keep(Buffer.from(String(error))));
  child.stdin.on("error", () => {});
  const started: Started = {
    child,
    pid: child.pid ?? -1,
    output: () => kept,
    stop: () => stop(started),
  };
  running.add(started);
  child.once("exit", () => running.delete(started));
  return started;
}

async function stop(started: Started): Promise<void> {
  const { child } = started;
  if (child.exitCode !== null || child.signalCode !== null || started.pid < 0) return;
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const family = processTree(started.pid);
  child.kill("SIGTERM");
  const timer = setTimeout(() => killAll(family), STOP_GRACE_MS);
  await exited;
  clearTimeout(timer);
}

function killAll(pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It has ended by itself.
    }
  }
}

/** Ends whatever is still running, at once: the last act of a run that fails or is interrupted. */
export function killRunning(): void {
  for (const started of running) killAll(processTree(started.pid));
}

/** Runs a program to its end and gives back its standard output. @throws when it fails or prints nothing. */
export async function run(
  core: number | null,
  command: string,
  args: readonly string[],
  limitMs: number,
): Promise<string> {
  const started = start(core, command, args);
  let out = "";
  started.child.stdout!.on("data", (data: Buffer) => {
    out += data.toString();
  });
  const timer = setTimeout(() => killAll(processTree(started.pid)), limitMs);
  const code = await new Promise<number | null>((resolve) => started.child.once("close", resolve));
  clearTimeout(timer);
  if (code !== 0) throw new Error(`${command} ended with ${code}: ${started.output()}`);
  return out;
}

function allPids(): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

/** The process and all that descend from it. */
export function processTree(root: number): number[] {
  const children = new Map<number, number[]>();
  for (const pid of allPids()) {
    const parent = Number(statFields(pid)[1] ?? -1);
    children.set(parent, [...(children.get(parent) ?? []), pid]);
  }
  const tree = [root];
  for (let i = 0; i < tree.length; i++) tree.push(...(children.get(tree[i]!) ?? []));
  return tree;
}

/** The fields of /proc/PID/stat from the third (state) on, or none when the process is gone. */
function statFields(pid: number): string[] {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "latin1");
    return text.slice(text.lastIndexOf(")") + 2).split(" ");
  } catch {
    return [];
  }
}

/**
 * User and system time of all threads, in µs. /proc/PID/stat counts ended threads too but only in steps of 10 ms; the
 * threads' schedstat counts nanoseconds but forgets ended threads. Both are lower bounds, so the larger one is nearer.
 */
export function cpuUs(pids: readonly number[]): number {
  let total = 0;
  for (const pid of pids) {
    const fields = statFields(pid);
    const coarse = (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) * TICK_US;
    total += Math.max(coarse, threadsUs(pid));
  }
  return total;
}

function threadsUs(pid: number): number {
  let ns = 0;
  try {
    for (const task of readdirSync(`/proc/${pid}/task`)) {
      ns += Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, "latin1").split(" ")[0]);
    }
  } catch {
    return 0;
  }
  return ns / NS_PER_US;
}

/**
 * CPU time in µs of everything that the rig did not start, kernel threads left out. A process that ends hands its time
 * to its parent's `cutime`, so the sum only ever grows by what was used.
 */
export function foreignCpuUs(): number {
  const own = new Set([...processTree(process.pid), ...processTree(KTHREADD_PID)]);
  let ticks = 0;
  for (const pid of allPids()) {
    if (own.has(pid)) continue;
    for (const field of statFields(pid).slice(11, 15)) ticks += Number(field);
  }
  return ticks * TICK_US;
}

/** Resident memory in bytes. */
export function rssBytes(pids: readonly number[]): number {
  let total = 0;
  for (const pid of pids) {
    try {
      const match = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "latin1"));
      total += Number(match?.[1] ?? 0) * 1024;
    } catch {
      // It has ended.
    }
  }
  return total;
}

/** How many file descriptors a program started here may have. */
export async function descriptorLimit(): Promise<number> {
  return Number((await run(null, "sh", ["-c", "ulimit -n"], 5000)).trim());
}

/** Below the range from which the kernel takes ports for the connections of the load. */
let nextPort = 12_000 + Math.floor(Math.random() * 10_000);

/** A loopback port that nothing listens on, another one each time. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = nextPort++;
    if (await isFree(port)) return port;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}

/** Resolves when the port accepts connections. @throws with the program's own output when it ends or takes too long. */
export async function waitForPort(started: Started, port: number, limitMs = 15_000): Promise<void> {
  const giveUpMs = performance.now() + limitMs;
  while (!(await accepts(port))) {
    const ended = started.child.exitCode !== null || started.child.signalCode !== null;
    if (ended || performance.now() > giveUpMs) {
      throw new Error(`nothing listens on port ${port}: ${started.output()}`);
    }
    await sleep(25);
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
