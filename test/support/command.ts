/** Runs the command, or a script on one of the runtimes, as a process of its own. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { environmentFor, executableOf, type RuntimeName, root } from "./runtimes.ts";
import { patienceMs } from "./times.ts";

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
    env: environmentFor(runtime),
    timeout: patienceMs,
  });
  return { code: status, stdout, stderr };
}

interface RunOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
}

/** A command that runs until it is ended. `kill` it in `afterEach`. */
export class RunningCommand {
  readonly child: ChildProcess;
  readonly exited: Promise<number | string>;
  stdout = "";
  stderr = "";
  readonly #waiting = new Set<() => void>();

  constructor(file: string, args: readonly string[], options: RunOptions = {}) {
    const { cwd, env = { ...process.env, NO_COLOR: "1" } } = options;
    this.child = spawn(file, args, { cwd, env });
    this.child.stdout?.on("data", (data) => this.#read(() => (this.stdout += data)));
    this.child.stderr?.on("data", (data) => this.#read(() => (this.stderr += data)));
    this.exited = new Promise((resolve) => {
      this.child.once("close", (code, signal) => {
        resolve(code ?? signal ?? "unknown");
        this.#wake();
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
    this.#wake();
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}

/** Starts a script on a runtime. */
export function startScript(
  runtime: RuntimeName,
  script: string,
  args: readonly string[],
  options: RunOptions = {},
): RunningCommand {
  return new RunningCommand(executableOf(runtime), [script, ...args], options);
}
