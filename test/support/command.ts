/** Runs the command, or a script under one of the runtimes, as a process of its own. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const bunFile = `${root}node_modules/bun/bin/bun.exe`;

/** Bun is an optional dependency: tests of it run where it is installed. */
export const runtimes: readonly ("node" | "bun")[] = existsSync(bunFile)
  ? ["node", "bun"]
  : ["node"];
export type RuntimeName = (typeof runtimes)[number];

const [nodeMajor = 0, nodeMinor = 0] = process.versions.node.split(".").map(Number);

/** Whether several workers of it can listen at one port. */
export function sharesPorts(runtime: RuntimeName): boolean {
  return runtime === "bun" || nodeMajor > 22 || (nodeMajor === 22 && nodeMinor >= 12);
}

/** Each runtime with one worker, and with four where it can have them. */
export const oneAndFourWorkers = runtimes.flatMap((runtime) =>
  (sharesPorts(runtime) ? [1, 4] : [1]).map((workers) => ({ runtime, workers })),
);

export const launcher = `${root}bin/global-proxy`;

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `bin/global-proxy` to its end. */
export function runCommand(
  args: readonly string[],
  { runtime = "node", cwd }: { runtime?: RuntimeName; cwd?: string } = {},
): Finished {
  const { status, stdout, stderr } = spawnSync(launcher, args, {
    cwd,
    encoding: "utf8",
    env: { ...process.env, GLOBAL_PROXY_RUNTIME: runtime, NO_COLOR: "1" },
    timeout: 30_000,
  });
  return { code: status, stdout, stderr };
}

/** A command that goes on until it is told to end. `kill` it in `afterEach`. */
export class RunningCommand {
  readonly child: ChildProcess;
  readonly exited: Promise<number | string>;
  stdout = "";
  stderr = "";
  readonly #waiting = new Set<() => void>();

  constructor(file: string, args: readonly string[], { cwd }: { cwd?: string } = {}) {
    this.child = spawn(file, args, { cwd, env: { ...process.env, NO_COLOR: "1" } });
    this.child.stdout?.on("data", (data) => this.#read(() => (this.stdout += data)));
    this.child.stderr?.on("data", (data) => this.#read(() => (this.stderr += data)));
    this.exited = new Promise((resolve) => {
      this.child.once("close", (code, signal) => {
        resolve(code ?? signal ?? "unknown");
        this.#tell();
      });
    });
  }

  get pid(): number {
    return this.child.pid!;
  }

  /** Resolves when standard error matches; rejects, with what it says, when the process ends before. */
  async saysError(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.stderr);
      if (match !== null) return match;
      const { exitCode, signalCode } = this.child;
      if (exitCode !== null || signalCode !== null) {
        throw new Error(`ended with ${exitCode ?? signalCode} before ${pattern}: ${this.stderr}`);
      }
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  async kill(): Promise<void> {
    this.child.kill("SIGKILL");
    await this.exited;
  }

  #read(append: () => void): void {
    append();
    this.#tell();
  }

  #tell(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}

/** Starts a script under a runtime. */
export function startScript(
  runtime: RuntimeName,
  script: string,
  args: readonly string[],
  options: { cwd?: string } = {},
): RunningCommand {
  const file = runtime === "bun" ? bunFile : process.execPath;
  return new RunningCommand(file, [script, ...args], options);
}
