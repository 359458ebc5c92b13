/** One running proxy: its life from start to end, its pid file, its error log, and what it does at each signal. */
import type { Runtime } from "../../config/check/runtime.ts";
import type { LoadResult } from "../../config/load.ts";
import type { Config } from "../../config/schema/schema.ts";
import { ErrorLog } from "../../observe/error-log.ts";
import type { BoundAddress } from "../../proxy/worker/messages.ts";
import type { Clock } from "../../transport/clock.ts";
import type { PageFiles } from "../admin/dashboard/page-files.ts";
import { workerHangMs } from "../limits.ts";
import { ServeError } from "../serve-error.ts";
import { ControlPlane } from "./control-plane.ts";
import { type Command, type Inheritance, sayReady } from "./inheritance.ts";
import { OwnedPidFile } from "./owned-pid-file.ts";
import { Reconfiguration } from "./reconfiguration.ts";
import { Upgrade } from "./upgrade.ts";

export interface InstanceOptions {
  readonly config: Config;
  /** Of this program, for metrics. */
  readonly version?: string;
  /** Reads the configuration again, for a reload. */
  readonly load: () => LoadResult | Promise<LoadResult>;
  readonly runtime: Runtime;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Used if the configuration names no pid file. Without either, none is written. */
  readonly pidFile?: string;
  /** How this program was started, for upgrades. */
  readonly command?: Command;
  /** What the process has left from which this one takes over. */
  readonly inheritance?: Inheritance | undefined;
  /** The compiled module that a worker thread runs. */
  readonly workerEntry: URL;
  /** The files of the dashboard, which the program has with it. */
  readonly pageFiles?: () => Promise<PageFiles>;
  /** Instead of the usual time after which a worker hangs, for tests. */
  readonly workerHangMs?: number;
}

export interface StartReport {
  readonly workers: number;
  readonly addresses: readonly BoundAddress[];
  /** Of the admin listener; undefined = there is none. */
  readonly adminAddress: BoundAddress | undefined;
}

/** What a shell reports for a program that SIGINT ended. */
const interruptedCode = 130;

export class Instance {
  /** Resolves with the exit code once everything is closed. */
  readonly ended: Promise<number>;
  readonly log: ErrorLog;
  readonly #options: InstanceOptions;
  readonly #plane: ControlPlane;
  readonly #pidFile = new OwnedPidFile();
  readonly #changes: Reconfiguration;
  readonly #upgrade: Upgrade;
  #end!: (code: number) => void;
  #draining = false;
  #stopping = false;

  constructor(options: InstanceOptions) {
    const { config, clock } = options;
    this.#options = options;
    const log = new ErrorLog({ ...config.errorLog, thread: 0, sync: true, clock });
    this.log = log;
    this.#plane = new ControlPlane({
      workerHangMs,
      inheritance: undefined,
      ...options,
      log,
      isEnding: () => this.#draining || this.#stopping,
      changed: () => void this.#changes.between(() => this.#plane.applyAgain()),
      stuck: (worker) => this.#abandon(worker),
      configuration: () => this.#changes,
    });
    this.#changes = new Reconfiguration({
      runtime: options.runtime,
      log,
      load: options.load,
      plane: this.#plane,
      obstacle: () => this.#obstacle(),
      applied: (applied) => this.#use(applied),
    });
    this.#upgrade = new Upgrade({
      log,
      command: options.command,
      pidFile: this.#pidFile,
      leave: () => this.#leave(),
      served: () => this.#plane.suspend(),
      ended: () => void this.#resume(),
    });
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  /** Whether a signal has asked it to stop, perhaps during the start. */
  get stopping(): boolean {
    return this.#stopping;
  }

  /** Rejects with `ServeError` if it cannot serve; then nothing is left running. */
  async start(): Promise<StartReport> {
    const { inheritance } = this.#options;
    try {
      // Written before the first request is accepted, so that whoever sees the port open can send signals.
      if (inheritance === undefined) this.#writePidFile();
      const addresses = await this.#startPlane();
      if (inheritance !== undefined) {
        sayReady();
        // Who waits for the upgrade looks for this file: the process before knows by then.
        this.#writePidFile();
      }
      const { workers, adminAddress } = this.#plane;
      return { workers, addresses, adminAddress };
    } catch (error) {
      this.#close();
      throw error;
    }
  }

  /** A reload or an upgrade that is asked for meanwhile comes after the start. */
  async #startPlane(): Promise<readonly BoundAddress[]> {
    let started: Promise<readonly BoundAddress[]> | undefined;
    await this.#changes.between(async () => {
      started = this.#plane.start();
      await started.catch(() => {});
    });
    return started!;
  }

  /** Reads the configuration again and applies it; on any error the old one stays. Resolves when that is decided. */
  async reload(): Promise<void> {
    await this.#changes.reload();
  }

  reopen(): void {
    this.log.notice("reopening logs");
    this.log.reopen();
    this.#plane.supervisor?.reopen();
  }

  /** Starts the program that is installed now, which takes over the listening sockets. */
  upgrade(): void {
    if (this.#draining || this.#stopping) this.log.warn("no upgrade: this process is ending");
    else this.#upgrade.start();
  }

  /** Stops accepting, waits for the requests in flight as long as the configuration allows, and ends. */
  async quit(): Promise<void> {
    if (this.#draining || this.#stopping) return;
    this.#draining = true;
    this.log.notice("gracefully shutting down");
    // While another process serves, idle clients may wait for theirs as long as ever.
    const idle = (await this.#upgrade.isServed()) || this.#hasPredecessor ? "keep" : "close";
    const { drainTimeoutMs } = this.#plane.config;
    let timer: NodeJS.Timeout | undefined;
    if (drainTimeoutMs > 0) timer = setTimeout(() => void this.stop(), drainTimeoutMs);
    await this.#plane.supervisor?.drain(drainTimeoutMs, idle);
    clearTimeout(timer);
    await this.stop();
  }

  /** Closes all connections and ends. */
  async stop(): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    await this.#plane.supervisor?.logShadows();
    this.log.notice("exiting");
    await this.#plane.stop();
    this.#close();
    this.#end(0);
  }

  /** As `stop`; a second time it ends at once, even if workers hang. */
  interrupt(): void {
    if (!this.#stopping) {
      void this.stop();
      return;
    }
    this.#plane.supervisor?.kill();
    this.#close();
    this.#end(interruptedCode);
  }

  /** Connections would still come to a worker that hangs and cannot be ended: let the service manager start anew. */
  #abandon(worker: number): void {
    this.log.emerg(`worker ${worker} hangs and cannot be ended: exiting`);
    this.#close();
    this.#end(1);
  }

  /** Why the configuration cannot be changed now. */
  #obstacle(): string | undefined {
    if (this.#draining || this.#stopping) return "this process is ending";
    if (this.#plane.supervisor === undefined) return "the process has not started yet";
    if (!this.#upgrade.isUnderWay) return undefined;
    return "another process takes over, which has read the configuration";
  }

  /** Applies the configuration to what this instance has itself. */
  #use(config: Config): void {
    const problem = this.#pidFile.moveTo(config.pidFile ?? this.#options.pidFile);
    if (problem !== undefined) this.log.error(problem.message);
    this.log.configure(config.errorLog);
  }

  /** One that nobody has asked for is no reason not to serve: only `-s` does without it. */
  #writePidFile(): void {
    const { pidFile } = this.#plane.config;
    const problem = this.#pidFile.moveTo(pidFile ?? this.#options.pidFile);
    if (problem === undefined) return;
    const { message, isUnwritable } = problem;
    if (pidFile !== undefined || !isUnwritable) throw new ServeError(message, "GP_PID_FILE");
    this.log.warn(`${message}: -s cannot signal this process (name a pidFile that can be written)`);
  }

  /** Whether the process from which this one took over serves still. */
  get #hasPredecessor(): boolean {
    return process.ppid === this.#options.inheritance?.pid;
  }

  /** For the process that takes over, when no reload runs. */
  async #leave(): Promise<Inheritance | string> {
    let left: Inheritance | string = "";
    await this.#changes.between(async () => {
      left = await this.#plane.leave();
    });
    return left;
  }

  /** The process that had taken over has ended. */
  async #resume(): Promise<void> {
    if (this.#draining || this.#stopping) return;
    await this.#plane.resume().catch((error: Error) => this.log.alert(error.message));
  }

  #close(): void {
    this.#plane.close();
    this.#pidFile.remove();
    this.log.close();
  }
}
