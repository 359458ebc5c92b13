/**
 * An upgrade as nginx does it: the program that is installed now is started with the listening sockets of this process.
 * Both serve then, until one of them is told to quit. If the new one ends first, this one serves alone again.
 */
import type { ChildProcess } from "node:child_process";
import type { ErrorLog } from "../../observe/error-log.ts";
import { upgradeTimeoutMs } from "../limits.ts";
import { type Command, type Inheritance, readyStream, startHeir } from "./inheritance.ts";
import type { OwnedPidFile } from "./owned-pid-file.ts";

export interface UpgradeDeps {
  readonly log: ErrorLog;
  /** How this program was started; undefined = it cannot be started again. */
  readonly command: Command | undefined;
  readonly pidFile: OwnedPidFile;
  /** What the new process gets; a text = why it cannot get it now. */
  leave(): Promise<Inheritance | string>;
  /** The new process serves, with the admin listener, too. */
  served(): void;
  /** The new process has served, and ended. */
  ended(): void;
}

export class Upgrade {
  readonly #deps: UpgradeDeps;
  #state: "none" | "starting" | "serving" = "none";
  /** Resolves when the new process serves, or has failed. */
  #decided: Promise<void> = Promise.resolve();

  constructor(deps: UpgradeDeps) {
    this.#deps = deps;
  }

  /** Whether another process serves at the same sockets. Waits for one that is just starting. */
  async isServed(): Promise<boolean> {
    await this.#decided;
    return this.#state === "serving";
  }

  /** Whether there is another process, serving or starting. */
  get isUnderWay(): boolean {
    return this.#state !== "none";
  }

  /** Never rejects: whatever fails is logged, and this process serves on. */
  start(): void {
    const { log, pidFile } = this.#deps;
    const predecessor = pidFile.predecessor();
    if (this.isUnderWay) log.warn("an upgrade is under way already");
    else if (predecessor !== undefined) {
      log.warn(`no upgrade: process ${predecessor}, from which this one took over, still runs`);
    } else {
      this.#state = "starting";
      this.#decided = this.#run();
    }
  }

  async #run(): Promise<void> {
    const { log, command, pidFile } = this.#deps;
    const left = command === undefined ? "this command has no upgrade" : await this.#deps.leave();
    if (typeof left === "string" || command === undefined) {
      this.#state = "none";
      log.error(`no upgrade: ${left}`);
      return;
    }
    const problem = pidFile.moveAside();
    if (problem !== undefined) {
      this.#failed(problem);
      return;
    }
    try {
      await this.#watch(startHeir(command, left));
    } catch (error) {
      this.#failed(`it cannot be started: ${(error as Error).message}`);
    }
  }

  /** Resolves when it is decided whether the new process serves. */
  #watch(heir: ChildProcess): Promise<void> {
    const { log } = this.#deps;
    log.notice(`upgrade: process ${heir.pid} starts`);
    const timer = setTimeout(() => {
      log.error(`process ${heir.pid} does not serve after ${upgradeTimeoutMs} ms: it is killed`);
      heir.kill("SIGKILL");
    }, upgradeTimeoutMs);
    return new Promise((resolve) => {
      readyStream(heir).once("data", () => {
        clearTimeout(timer);
        this.#state = "serving";
        log.notice(`process ${heir.pid} serves with the sockets of this one`);
        this.#deps.served();
        resolve();
      });
      heir.once("error", ({ message }) => {
        clearTimeout(timer);
        this.#failed(`it cannot be started: ${message}`);
        resolve();
      });
      heir.once("exit", (code, signal) => {
        clearTimeout(timer);
        this.#failed(`process ${heir.pid} ended (${signal ?? `code ${code}`})`);
        resolve();
      });
    });
  }

  #failed(why: string): void {
    const { log, pidFile } = this.#deps;
    const hadServed = this.#state === "serving";
    if (this.#state === "none") return;
    this.#state = "none";
    const problem = pidFile.moveBack();
    if (problem !== undefined) log.error(problem);
    if (hadServed) log.alert(`${why}: this process serves alone again`);
    else log.error(`the upgrade failed: ${why}; this process serves on`);
    if (hadServed) this.#deps.ended();
  }
}
