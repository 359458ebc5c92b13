/** One running proxy: its workers, its pid file, its error log, and what it does at each signal. */

import { countWorkers, type Runtime } from "../../config/check/runtime.ts";
import type { LoadResult } from "../../config/load.ts";
import { formatProblem } from "../../config/problems/problem.ts";
import type { Config } from "../../config/schema/schema.ts";
import { ErrorLog } from "../../observe/error-log.ts";
import { logFileProblem } from "../../observe/log-file.ts";
import type { BoundAddress } from "../../proxy/worker/messages.ts";
import { type AdminSource, adminRoutes } from "../admin/routes.ts";
import { AdminServer } from "../admin/server.ts";
import { DialectFinder } from "../discovery/dialect-finder.ts";
import { Registrar } from "../discovery/registrar.ts";
import { Prober } from "../polling/prober.ts";
import {
  FreePorts,
  listenKeys,
  ServeError,
  sharePorts,
  withoutSharing,
} from "../workers/ready-config.ts";
import { Supervisor } from "../workers/supervisor.ts";
import { removePidFile, writePidFile } from "./pid-file.ts";
import { removeStaleSockets } from "./stale-socket.ts";

export interface InstanceOptions {
  readonly config: Config;
  /** Reads the configuration again, for a reload. */
  readonly load: () => LoadResult;
  readonly runtime: Runtime;
  /** Where the pid goes when the configuration does not say. Without either there is no pid file. */
  readonly pidFile?: string;
  readonly workerEntry?: URL;
}

export interface StartReport {
  readonly workers: number;
  readonly addresses: readonly BoundAddress[];
}

/** Ports that were free a moment ago are tried this often when another program was faster. */
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
  readonly #prober: Prober;
  readonly #finder: DialectFinder;
  readonly #registrar: Registrar;
  readonly #admin: AdminServer;
  #supervisor: Supervisor | undefined;
  #config: Config;
  #pidFile: string | undefined;
  #end!: (code: number) => void;
  #reloading: Promise<void> | undefined;
  #reloadAgain = false;
  #draining = false;
  #stopping = false;

  constructor(options: InstanceOptions) {
    this.#options = options;
    this.#config = options.config;
    this.#workers = countWorkers(options.config.workers, options.runtime);
    this.log = new ErrorLog({ ...options.config.errorLog, thread: 0, sync: true });
    this.#prober = new Prober({
      log: (message) => this.log.notice(message),
      changed: (discovered) => this.#supervisor?.applyDiscovered(discovered),
    });
    this.#finder = new DialectFinder({
      log: (level, message) => this.log.log(level, message),
      found: () => void this.#applyAgain(),
    });
    this.#registrar = new Registrar({
      log: (level, message) => this.log.log(level, message),
      changed: () => void this.#applyAgain(),
    });
    this.#admin = new AdminServer(
      adminRoutes(() => this.#adminSource()),
      (message) => this.log.notice(message),
    );
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  /** Whether it was told to stop, be it during the start. */
  get stopping(): boolean {
    return this.#stopping;
  }

  /** Rejects with `ServeError` when it cannot serve; then nothing is left running. */
  async start(): Promise<StartReport> {
    checkLogFiles(this.#config);
    const pidFile = this.#config.pidFile ?? this.#options.pidFile;
    // Written before the first request is taken, so that whoever sees the port open can send signals.
    if (pidFile !== undefined) this.#writePid(pidFile);
    try {
      await this.#registrar.open(this.#config);
      await this.#admin.open(this.#config.admin);
      this.#admin.use(this.#config.admin);
      const addresses = await this.#startWorkers();
      this.#finder.use(this.#config);
      return { workers: this.#workers, addresses };
    } catch (error) {
      this.#close();
      throw error;
    }
  }

  /** Reads the configuration again and puts it in force; on any error the old one stays. Resolves when that is decided. */
  reload(): Promise<void> {
    if (this.#reloading !== undefined) {
      // The file may have changed after the running reload read it.
      this.#reloadAgain = true;
      return this.#reloading;
    }
    this.#reloadAgain = true;
    this.#reloading = this.#reloadWhileWanted();
    return this.#reloading;
  }

  reopen(): void {
    this.log.notice("reopening logs");
    this.log.reopen();
    this.#supervisor?.reopen();
  }

  /** Stops accepting, waits for what is in flight within the configured bound, and ends. */
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
    await this.#supervisor?.tellShadows();
    this.log.notice("exiting");
    await this.#supervisor?.stop();
    this.#close();
    this.#end(0);
  }

  /** As `stop`; a second time it ends at once, whatever the workers do. */
  interrupt(): void {
    if (!this.#stopping) {
      void this.stop();
      return;
    }
    this.#supervisor?.kill();
    this.#close();
    this.#end(interruptedCode);
  }

  async #startWorkers(): Promise<readonly BoundAddress[]> {
    for (let tries = 1; ; tries += 1) {
      const ready = await this.#ready(this.#config, new Set());
      const { workerEntry = new URL("../../proxy/worker/worker-thread.js", import.meta.url) } =
        this.#options;
      const supervisor = new Supervisor({ workerEntry, workers: this.#workers, log: this.log });
      this.#supervisor = supervisor;
      supervisor.applyDiscovered(this.#prober.discovered);
      try {
        return await supervisor.start(ready);
      } catch (error) {
        const { code } = error as ServeError;
        const unlucky = code === "EADDRINUSE" && this.#ports.count > 0 && tries < freePortTriesMax;
        if (!unlucky) throw error;
        this.#ports.forget();
      }
    }
  }

  async #ready(said: Config, known: ReadonlySet<string>): Promise<Config> {
    const config = this.#resolve(said);
    // Before the workers have it, so that no engine gets a request that it is known not to be ready for.
    await this.#prober.use(config);
    const filled = await this.#ports.fillIn(config);
    await removeStaleSockets(filled, known);
    if (this.#workers > 1) return sharePorts(filled, known);
    return this.#options.runtime.sharedPorts ? filled : withoutSharing(filled);
  }

  /** The configuration with what was found out since: dialects, and engines that have registered. */
  #resolve(said: Config): Config {
    return this.#finder.resolve(this.#registrar.resolve(said));
  }

  async #reloadOnce(): Promise<void> {
    if (this.#draining || this.#stopping || this.#supervisor === undefined) return;
    const { log } = this;
    log.notice("reconfiguring");
    try {
      const config = this.#loadAgain();
      if (config === undefined) return;
      checkLogFiles(config);
      await this.#registrar.open(config);
      await this.#admin.open(config.admin);
      await this.#applyToWorkers(config);
      // It may have been told to stop meanwhile; then there is nothing to take over any more.
      if (this.#stopping) return;
      this.#use(config);
      log.notice("the new configuration is in force");
    } catch (error) {
      this.#registrar.use(this.#config);
      log.emerg((error as Error).message);
      log.error("the configuration before stays in force");
    }
  }

  async #reloadWhileWanted(): Promise<void> {
    while (this.#reloadAgain) {
      this.#reloadAgain = false;
      await this.#reloadOnce();
    }
    this.#reloading = undefined;
  }

  /** Puts the configuration in force once more, with the dialects that were found since. */
  async #applyAgain(): Promise<void> {
    while (this.#reloading !== undefined) await this.#reloading;
    this.#reloading = (async () => {
      try {
        await this.#applyToWorkers(this.#config);
      } catch (error) {
        this.log.error((error as Error).message);
      }
      await this.#reloadWhileWanted();
    })();
    await this.#reloading;
  }

  async #applyToWorkers(config: Config): Promise<void> {
    if (this.#draining || this.#stopping || this.#supervisor === undefined) return;
    const known = listenKeys(await this.#ports.fillIn(this.#config));
    try {
      await this.#supervisor.apply(await this.#ready(config, known));
    } catch (error) {
      void this.#prober.use(this.#finder.resolve(this.#config));
      throw error;
    }
  }

  /** The configuration as it is now; nothing when it has errors, which are logged. */
  #loadAgain(): Config | undefined {
    const { log } = this;
    const loaded = this.#options.load();
    for (const problem of "errors" in loaded ? loaded.errors : loaded.notices) {
      const { level } = problem;
      // Notices say what has no effect; they are for `-t`.
      if (level !== "notice") log.log(level, formatProblem(problem).replace(`[${level}] `, ""));
    }
    if (!("errors" in loaded)) return loaded.config;
    log.error("the configuration has errors; the one before stays in force");
    return undefined;
  }

  /** What the main thread itself does by the configuration. */
  #use(config: Config): void {
    const workers = countWorkers(config.workers, this.#options.runtime);
    if (workers !== this.#workers) {
      this.log.warn(`a reload does not change the number of workers: ${this.#workers} serve`);
    }
    const pidFile = config.pidFile ?? this.#options.pidFile;
    if (pidFile !== this.#pidFile) {
      if (this.#pidFile !== undefined) removePidFile(this.#pidFile);
      this.#pidFile = undefined;
      const problem = pidFile === undefined ? undefined : writePidFile(pidFile);
      if (problem === undefined) this.#pidFile = pidFile;
      else this.log.error(problem);
    }
    this.#config = config;
    this.#finder.use(config);
    this.#registrar.use(config);
    this.#admin.use(config.admin);
    this.log.configure(config.errorLog);
  }

  #adminSource(): AdminSource {
    const supervisor = this.#supervisor;
    return {
      workers: supervisor?.workers ?? { alive: 0, configured: this.#workers },
      isDraining: this.#draining || this.#stopping,
      pools: supervisor?.pools ?? [],
      signals: supervisor?.signals ?? new Map(),
      queue: async () => supervisor?.queue() ?? { caches: [], queues: [] },
      ask: async (question) => supervisor?.ask(question) ?? [],
      shadows: async () => supervisor?.shadows() ?? [],
    };
  }

  #writePid(pidFile: string): void {
    const problem = writePidFile(pidFile);
    if (problem !== undefined) throw new ServeError(problem, "GP_PID_FILE");
    this.#pidFile = pidFile;
  }

  #close(): void {
    this.#prober.close();
    this.#finder.close();
    this.#registrar.close();
    this.#admin.close();
    if (this.#pidFile !== undefined) removePidFile(this.#pidFile);
    this.#pidFile = undefined;
    this.log.close();
  }
}

/** Throws `ServeError` for a log that cannot be opened: told before anything changes; later it would only lose lines. */
export function checkLogFiles({ errorLog, record, servers }: Config): void {
  const files = new Set([errorLog.file, ...(record ? [record.file] : [])]);
  for (const { routes } of servers) {
    for (const { accessLogs } of routes) for (const { file } of accessLogs) files.add(file);
  }
  for (const file of files) {
    const problem = logFileProblem(file);
    if (problem !== undefined) throw new ServeError(problem, "GP_LOG_FILE");
  }
}
