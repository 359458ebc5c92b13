/** The parts of one running proxy in the main thread: discovery, the admin listener, the workers. */
import { countWorkers, type Runtime } from "../../config/check/runtime.ts";
import type { Config } from "../../config/schema/schema.ts";
import type { ErrorLog } from "../../observe/error-log.ts";
import { SpanExports } from "../../observe/traces/span-exports.ts";
import type { DiscoveredByIdentity } from "../../pool/discovered-attributes.ts";
import type { Credentials } from "../../proxy/admission/tenants/credentials.ts";
import type { BoundAddress } from "../../proxy/worker/messages.ts";
import type { Clock } from "../../transport/clock.ts";
import type { AdminSource } from "../admin/admin-source.ts";
import { Dashboard } from "../admin/dashboard/dashboard.ts";
import type { PageFiles } from "../admin/dashboard/page-files.ts";
import { dispatcher } from "../admin/dispatch.ts";
import { OperatorListeners } from "../admin/listeners.ts";
import type { Build } from "../admin/metrics/process-families.ts";
import { routePages } from "../admin/route-pages/route-pages.ts";
import { adminRoutes, metricsRoutes } from "../admin/routes.ts";
import { Discovery } from "../discovery/discovery.ts";
import { flushSpansTimeoutMs, freePortTriesMax } from "../limits.ts";
import { EngineAsker } from "../polling/engine-asker.ts";
import type { ServeError } from "../serve-error.ts";
import { removeStaleSockets } from "../workers/stale-sockets.ts";
import { Supervisor } from "../workers/supervisor.ts";
import { CredentialFiles, newTicketKeys } from "./credentials.ts";
import { closeUnused, type Inheritance } from "./inheritance.ts";
import { Preparation } from "./preparation.ts";

export interface ControlPlaneOptions {
  readonly config: Config;
  /** Of this program, for metrics. */
  readonly version?: string;
  readonly runtime: Runtime;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly log: ErrorLog;
  readonly workerEntry: URL;
  /** The files of the dashboard, which the program has with it. */
  readonly pageFiles?: () => Promise<PageFiles>;
  readonly workerHangMs: number;
  /** What the process has left from which this one takes over. */
  readonly inheritance: Inheritance | undefined;
  /** No request is taken any more. */
  isEnding(): boolean;
  /** Engines or dialects have changed: `applyAgain` is to be called. */
  changed(): void;
  /** What operators may change of the configuration. */
  configuration(): AdminSource["configuration"];
  /** A worker hangs and cannot be ended: connections would still come to it. */
  stuck(worker: number): void;
}

export class ControlPlane {
  readonly workers: number;
  readonly #options: ControlPlaneOptions;
  readonly #discovery: Discovery;
  readonly #operators: OperatorListeners;
  readonly #dashboard: Dashboard;
  readonly #preparation: Preparation;
  readonly #build: Build;
  readonly #spans: SpanExports;
  readonly #credentials: CredentialFiles;
  readonly #asker: EngineAsker;
  #supervisor: Supervisor | undefined;
  #config: Config;
  /** The same as workers have it: with what was discovered. */
  #ready: Config;

  constructor(options: ControlPlaneOptions) {
    const { config, clock, runtime, log, inheritance } = options;
    this.#options = options;
    this.#config = config;
    this.#ready = config;
    this.workers = countWorkers(config.workers, runtime);
    this.#asker = new EngineAsker(() => this.#credentials);
    const deps = {
      asker: this.#asker,
      log: log.log.bind(log),
      discovered: (discovered: DiscoveredByIdentity) =>
        this.#supervisor?.applyDiscovered(discovered),
      changed: () => options.changed(),
      isBusy: (identity: string) => this.#supervisor?.isBusy(identity) ?? false,
      nowMs: () => clock.nowMs(),
      wallMs: () => clock.wallMs(),
    };
    this.#discovery = new Discovery(deps, inheritance?.discovery);
    this.#preparation = new Preparation({
      runtime,
      workers: this.workers,
      discovery: this.#discovery,
      log,
      chosenPorts: inheritance?.freePorts,
    });
    this.#spans = new SpanExports(log);
    this.#credentials = new CredentialFiles({
      log,
      ticketKeys: newTicketKeys(),
      nowMs: deps.nowMs,
      changed: (credentials) => this.#supervisor?.applyCredentials(credentials),
    });
    this.#build = {
      version: options.version ?? "",
      runtime: `${runtime.name} ${runtime.version}`,
      startedMs: Math.round(clock.wallMs() - process.uptime() * 1_000),
    };
    const source = () => this.#adminSource();
    this.#dashboard = new Dashboard(source, clock);
    this.#operators = new OperatorListeners(
      {
        admin: dispatcher(adminRoutes, source, clock),
        metrics: dispatcher(metricsRoutes, source, clock),
      },
      (message) => log.notice(message),
      inheritance,
    );
  }

  get config(): Config {
    return this.#config;
  }

  /** Of the admin listener; undefined = there is none. */
  get adminAddress(): BoundAddress | undefined {
    return this.#operators.addressOf("admin");
  }

  /** Undefined = none was started yet. */
  get supervisor(): Supervisor | undefined {
    return this.#supervisor;
  }

  /** Rejects with `ServeError` if it cannot serve; `close` it then. */
  async start(): Promise<readonly BoundAddress[]> {
    const { inheritance } = this.#options;
    this.#credentials.use(this.#config, this.#credentials.read(this.#config));
    await this.#discovery.open(this.#config);
    // A process that takes over has no admin pages before there is something to say.
    if (inheritance === undefined) await this.#openOperators();
    const addresses = await this.#startWorkers();
    this.#discovery.use(this.#config);
    if (inheritance === undefined) return addresses;
    await this.#openOperators();
    closeUnused(inheritance, this.#config, await this.#preparation.keysOf(this.#config));
    return addresses;
  }

  /** Serves by another configuration. Rejects with `ServeError` if it cannot; the old one is in force then. */
  async apply(config: Config): Promise<void> {
    const before = this.#config;
    const credentials = this.#credentials.read(config);
    try {
      await this.#discovery.open(config);
      await this.#operators.open(config);
      await this.#applyToWorkers(config, credentials);
    } catch (error) {
      this.#discovery.restore(before);
      throw error;
    }
    // A signal may have stopped it meanwhile.
    if (this.#options.isEnding()) return;
    this.#config = config;
    this.#credentials.use(config, credentials);
    this.#spans.use(config.tracing);
    this.#discovery.use(config);
    this.#operators.use(config);
    this.#dashboard.use(config.admin !== undefined);
    // Of listeners that are closed now.
    await removeStaleSockets(before);
  }

  /** Applies the current configuration once more, with what was discovered since. */
  async applyAgain(): Promise<void> {
    try {
      await this.#applyToWorkers(this.#config, this.#credentials.current);
      this.#discovery.use(this.#config);
    } catch (error) {
      this.#discovery.restore(this.#config);
      this.#options.log.error((error as Error).message);
    }
  }

  /** For the process that takes over; a text = why there is nothing to leave. */
  async leave(): Promise<Inheritance | string> {
    const clients = await this.#supervisor?.sockets();
    if (clients === undefined) return "workers have not said which sockets they have";
    return {
      pid: process.pid,
      clients,
      ...this.#operators.sockets,
      freePorts: this.#preparation.ports.state,
      discovery: this.#discovery.state,
    };
  }

  /** Operators and engines talk to the process that has taken over. */
  suspend(): void {
    this.#operators.close();
    this.#dashboard.close();
    this.#discovery.suspend();
  }

  /** The process that had taken over has ended. Rejects with `ServeError`. */
  async resume(): Promise<void> {
    await this.#openOperators();
    await this.#discovery.resume();
  }

  /** Resolves when all threads have ended. */
  async stop(): Promise<void> {
    await this.#supervisor?.stop();
    await this.#spans.flush(flushSpansTimeoutMs);
    // If another process has taken them over, they stay.
    await removeStaleSockets(this.#config);
  }

  close(): void {
    this.#credentials.close();
    this.#discovery.close();
    this.#dashboard.close();
    this.#operators.close();
  }

  async #openOperators(): Promise<void> {
    await this.#operators.open(this.#config);
    this.#operators.use(this.#config);
    this.#dashboard.use(this.#config.admin !== undefined);
  }

  async #startWorkers(): Promise<readonly BoundAddress[]> {
    const { clock, random, log, workerEntry, workerHangMs, inheritance, stuck } = this.#options;
    const inherited = inheritance?.clients;
    const known = new Set(inherited?.map(({ key }) => key));
    this.#spans.use(this.#config.tracing);
    for (let tries = 1; ; tries += 1) {
      const ready = await this.#preparation.ready(this.#config, known);
      const supervisor = new Supervisor({
        workerEntry,
        workers: this.workers,
        log,
        workerHangMs,
        clock,
        random,
        stuck,
        inherited,
        ask: this.#asker.ask,
        spans: (batch) => this.#spans.add(batch),
        issuerKeys: () => this.#credentials.askIssuer(),
        page: routePages(() => this.#adminSource(), clock),
      });
      this.#supervisor = supervisor;
      supervisor.applyDiscovered(this.#discovery.discovered);
      try {
        const addresses = await supervisor.start(ready, this.#credentials.current);
        this.#ready = ready;
        return addresses;
      } catch (error) {
        const { code } = error as ServeError;
        const { ports } = this.#preparation;
        const isTaken = code === "EADDRINUSE" && ports.count > 0 && inherited === undefined;
        if (!isTaken || tries >= freePortTriesMax) throw error;
        ports.forget();
      }
    }
  }

  async #applyToWorkers(config: Config, credentials: Credentials): Promise<void> {
    const supervisor = this.#supervisor;
    if (this.#options.isEnding() || supervisor === undefined) return;
    const known = await this.#preparation.keysOf(this.#config);
    await this.#credentials.handOver(credentials, async () => {
      const ready = await this.#preparation.ready(config, known);
      await supervisor.apply(ready, credentials);
      this.#ready = ready;
    });
  }

  #adminSource(): AdminSource {
    const supervisor = this.#supervisor;
    return {
      build: this.#build,
      workers: supervisor?.workers ?? { alive: 0, configured: this.workers, died: 0, hung: 0 },
      isDraining: this.#options.isEnding(),
      config: this.#config,
      resolved: this.#ready,
      configuration: this.#options.configuration(),
      pools: supervisor?.pools ?? [],
      requests: supervisor?.counted.view.requests,
      metrics: supervisor?.counted.metrics,
      signals: supervisor?.signals ?? new Map(),
      discovery: this.#discovery,
      dashboard: this.#dashboard,
      askEngine: this.#asker.ask,
      pageFiles: this.#options.pageFiles ?? (async () => ({})),
      queue: async () => supervisor?.queue() ?? { caches: [], queues: [] },
      ask: async (question) => supervisor?.ask(question) ?? [],
      shadows: async () => supervisor?.shadows() ?? [],
    };
  }
}
