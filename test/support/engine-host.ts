/**
 * One process for all simulated engines of a test worker that no test kills or stops. A process for each took 100 ms of
 * CPU time to start, hundreds of times.
 */
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { RunningCommand } from "./command.ts";
import { executableOf, type RuntimeName } from "./runtimes.ts";

const script = fileURLToPath(new URL("engine-host.mjs", import.meta.url));

interface Done {
  readonly id: number;
  readonly error?: string;
}

export class EngineHost {
  static #shared: EngineHost | undefined;
  readonly #command: RunningCommand;
  readonly #waiting = new Map<number, (error?: string) => void>();
  #count = 0;
  #hasEnded = false;

  private constructor(runtime: RuntimeName) {
    this.#command = new RunningCommand(executableOf(runtime), [script]);
    const { child } = this.#command;
    createInterface({ input: child.stdout! }).on("line", (line) => {
      const { id, error } = JSON.parse(line) as Done;
      this.#waiting.get(id)?.(error);
    });
    void this.#command.exited.then((code) => {
      this.#hasEnded = true;
      for (const done of this.#waiting.values()) {
        done(`the process of all engines ended with ${code}: ${this.#command.stderr}`);
      }
    });
    process.once("exit", () => child.kill("SIGKILL"));
  }

  /** The one of this worker, started again if it has ended. */
  static shared(runtime: RuntimeName): EngineHost {
    if (EngineHost.#shared === undefined || EngineHost.#shared.#hasEnded) {
      EngineHost.#shared = new EngineHost(runtime);
    }
    return EngineHost.#shared;
  }

  /** Resolves, with what ends it, when the engine listens. @param words as of `global-proxy engine` */
  async start(words: readonly string[]): Promise<() => Promise<void>> {
    this.#count += 1;
    const id = this.#count;
    await this.#ask({ id, words });
    return () => (this.#hasEnded ? Promise.resolve() : this.#ask({ id }));
  }

  #ask(question: { readonly id: number; readonly words?: readonly string[] }): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.set(question.id, (error) => {
        this.#waiting.delete(question.id);
        if (error === undefined) resolve();
        else reject(new Error(`engine ended: ${error}`));
      });
      this.#command.child.stdin!.write(`${JSON.stringify(question)}\n`);
    });
  }
}
