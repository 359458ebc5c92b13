/** One running proxy: its workers, its pid file, its error log, and what it does at each signal. */
import { countWorkers, type Runtime } from "../../config/check/runtime.ts";
import type { LoadResult } from "../../config/load.ts";
import { formatProblem } from "../../config/problems/problem.ts";
import type { Config } from "../../config/schema/schema.ts";
import { workerHangMs } from "../../limits.ts";
import { ErrorLog } from "../../observe/error-log.ts";
import type { BoundAddress } from "../../proxy/worker/messages.ts";
import type { Clock } from "../../transport/clock.ts";
import { type AdminSource, adminRoutes } from "../admin/routes.ts";
import { AdminServer } from "../admin/server.ts";
import { Discovery } from "../discovery/discovery.ts";
import { ServeError } from "../serve-error.ts";
import {
  FreePorts,
  listenKeys,
  openFilesMax,
  sharePorts,
  withinDescriptors,
  withoutSharing,
} from "../workers/ready-config.ts";
import { removeStaleSockets } from "../workers/stale-sockets.ts";
import { Supervisor } from "../workers/supervisor.ts";
import { checkLogFiles } from "./log-files.ts";
import { OwnedPidFile } from "./owned-pid-file.ts";
import { Reloads } from "./reloads.ts";

export interface InstanceOptions {
  readonly config: Config;
  /** Reads the configuration again, for a reload. */
  readonly load: () => LoadResult | Promise<LoadResult>;
  readonly runtime: Runtime;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Used if the configuration names no pid file. Without either, none is written. */
  readonly pidFile?: string;
  /** Another worker than the real one, for tests. */
  readonly workerEntry?: URL;
  /** Instead of the usual time after which a worker hangs, for tests. */
  readonly workerHangMs?: number;
}

export interface StartReport {
  readonly workers: number;
  readonly addresses: readonly BoundAddress[];
}

/** How often other free ports are chosen, if another program has bound the first ones meanwhile. */
const freePortTriesMax = 5;
/** What a shell reports for a program that SIGINT ended. */
const interruptedCode = 130;

export class Instance {
  /** Resolves with the exit code once everything is closed. */
  readonly ended: Promise<number>;
  readonly log: ErrorLog;
  readonly #options: InstanceOptions;
  readonly #workers: number;
  readonly #ports = new FreePorts();
  readonly #discovery: Discovery;
  readonly #admin: AdminServer;
  readonly #pidFile = new OwnedPidFile();
  readonly #reloads = new Reloads(() => this.#reloadOnce());
  #supervisor: Supervisor | undefined;
  #config: Config;
  #end!: (code: number) => void;
  #draining = false;
  #stopping = false;

  constructor(options: InstanceOptions) {
    const { config, clock, runtime } = options;
    this.#options = options;
    this.#config = config;
    this.#workers = countWorkers(config.workers, runtime);
    this.log = new ErrorLog({ ...config.errorLog, thread: 0, sync: true, clock });
    this.#discovery = new Discovery({
      log: (level, message) => this.log.log(level, message),
      discovered: (discovered) => this.#supervisor?.applyDiscovered(discovered),
      changed: () => void this.#applyAgain(),
    });
    this.#admin = new AdminServer(
      adminRoutes(() => this.#adminSource(), clock),
      (message) => this.log.notice(message),
    );
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
    checkLogFiles(this.#config);
    // Written before the first request is accepted, so that whoever sees the port open can send signals.
    const problem = this.#pidFile.moveTo(this.#config.pidFile ?? this.#options.pidFile);
    if (problem !== undefined) throw new ServeError(problem, "GP_PID_FILE");
    try {
      await this.#discovery.open(this.#config);
      await this.#admin.open(this.#config.admin);
      this.#admin.use(this.#config.admin);
      const addresses = await this.#startWorkers();
      this.#discovery.use(this.#config);
      return { workers: this.#workers, addresses };
    } catch (error) {
      this.#close();
      throw error;
    }
  }

  /** Reads the configuration again and applies it; on any error the old one stays. Resolves when that is decided. */
  reload(): Promise<void> {
    return this.#reloads.request();
  }

  reopen(): void {
    this.log.notice("reopening logs");
    this.log.reopen();
    this.#supervisor?.reopen();
  }

  /** Stops accepting, waits for the requests in flight as long as the configuration allows, and ends. */
  async quit(): Promise<void> {
    if (this.#draining || this.#stopping) return;
    this.#draining = true;
    this.log.notice("gracefully shutting down");
    const { drainTimeoutMs } = this.#config;
    let timer: NodeJS.Timeout | undefined;
    if (drainTimeoutMs > 0) timer = setTimeout(() => void this.stop(), drainTimeoutMs);
    await this.#supervisor?.drain(drainTimeoutMs);
    clearTimeout(timer);
    await this.stop();
  }

  /** Closes all connections and ends. */
  async stop(): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    await this.#supervisor?.logShadows();
    this.log.notice("exiting");
    await this.#supervisor?.stop();
    this.#close();
    this.#end(0);
  }

  /** As `stop`; a second time it ends at once, even if workers hang. */
  interrupt(): void {
    if (!this.#stopping) {
      void this.stop();
      return;
    }
    this.#supervisor?.kill();
    this.#close();
    this.#end(interruptedCode);
  }

  /** Connections would still come to a worker that hangs and cannot be ended: let the service manager start anew. */
  #abandon(worker: number): void {
    this.log.emerg(`worker ${worker} hangs and cannot be ended: exiting`);
    this.#close();
    this.#end(1);
  }

  async #startWorkers(): Promise<readonly BoundAddress[]> {
    const { clock, random } = this.#options;
    const { workerEntry = new URL("../../proxy/worker/worker-thread.js", import.meta.url) } =
      this.#options;
    for (let tries = 1; ; tries += 1) {
      const ready = await this.#ready(this.#config, new Set());
      const { log } = this;
      const supervisor = new Supervisor({
        workerEntry,
        workers: this.#workers,
        log,
        workerHangMs: this.#options.workerHangMs ?? workerHangMs,
        clock,
        random,
        stuck: (worker) => this.#abandon(worker),
      });
      this.#supervisor = supervisor;
      supervisor.applyDiscovered(this.#discovery.discovered);
      try {
        return await supervisor.start(ready);
      } catch (error) {
        const { code } = error as ServeError;
        const isTaken = code === "EADDRINUSE" && this.#ports.count > 0;
        if (!isTaken || tries >= freePortTriesMax) throw error;
        this.#ports.forget();
      }
    }
  }

  /** The configuration as workers need it. @param known keys of addresses that this instance listens on already */
  async #ready(written: Config, known: ReadonlySet<string>): Promise<Config> {
    const fitted = withinDescriptors(written, this.#workers, openFilesMax(), this.log);
    const config = await this.#discovery.resolve(fitted);
    const filled = await this.#ports.fillIn(config);
    await removeStaleSockets(filled, known);
    if (this.#workers > 1) return sharePorts(filled, known);
    return this.#options.runtime.sharedPorts ? filled : withoutSharing(filled);
  }

  async #reloadOnce(): Promise<void> {
    if (this.#draining || this.#stopping || this.#supervisor === undefined) return;
    const { log } = this;
    log.notice("reconfiguring");
    try {
      const config = await this.#loadAgain();
      if (config === undefined) return;
      checkLogFiles(config);
      await this.#discovery.open(config);
      await this.#admin.open(config.admin);
      await this.#applyToWorkers(config);
      // A signal may have stopped it meanwhile.
      if (this.#stopping) return;
      this.#use(config);
      log.notice("the new configuration is in force");
    } catch (error) {
      this.#discovery.restore(this.#config);
      log.emerg((error as Error).message);
      log.error("the old configuration stays in force");
    }
  }

  /** Applies the current configuration once more, with what was discovered since. */
  #applyAgain(): Promise<void> {
    return this.#reloads.between(async () => {
      try {
        await this.#applyToWorkers(this.#config);
      } catch (error) {
        this.#discovery.restore(this.#config);
        this.log.error((error as Error).message);
      }
    });
  }

  async #applyToWorkers(config: Config): Promise<void> {
    if (this.#draining || this.#stopping || this.#supervisor === undefined) return;
    const known = listenKeys(await this.#ports.fillIn(this.#config));
    await this.#supervisor.apply(await this.#ready(config, known));
  }

  /** The configuration as written now. If it has errors, logs them and returns undefined. */
  async #loadAgain(): Promise<Config | undefined> {
    const { log } = this;
    const loaded = await this.#options.load();
    for (const problem of "errors" in loaded ? loaded.errors : loaded.notices) {
      const { level } = problem;
      // Notices name settings without effect; `-t` shows them.
      if (level !== "notice") log.log(level, formatProblem(problem).replace(`[${level}] `, ""));
    }
    if (!("errors" in loaded)) return loaded.config;
    log.error("the configuration has errors; the old one stays in force");
    return undefined;
  }

  /** Applies the configuration to the main thread itself. */
  #use(config: Config): void {
    const workers = countWorkers(config.workers, this.#options.runtime);
    if (workers !== this.#workers) {
      const what = `the number of workers stays ${this.#workers}`;
      this.log.warn(`${what}: a reload cannot change it, restart to get ${workers}`);
    }
    const problem = this.#pidFile.moveTo(config.pidFile ?? this.#options.pidFile);
    if (problem !== undefined) this.log.error(problem);
    this.#config = config;
    this.#discovery.use(config);
    this.#admin.use(config.admin);
    this.log.configure(config.errorLog);
  }

  #adminSource(): AdminSource {
    const supervisor = this.#supervisor;
    return {
      workers: supervisor?.workers ?? { alive: 0, configured: this.#workers, died: 0, hung: 0 },
      isDraining: this.#draining || this.#stopping,
      config: this.#config,
      pools: supervisor?.pools ?? [],
      signals: supervisor?.signals ?? new Map(),
      queue: async () => supervisor?.queue() ?? { caches: [], queues: [] },
      ask: async (question) => supervisor?.ask(question) ?? [],
      shadows: async () => supervisor?.shadows() ?? [],
    };
  }

  #close(): void {
    this.#discovery.close();
    this.#admin.close();
    this.#pidFile.remove();
    this.log.close();
  }
}
