/**
 * Engines that register themselves: the main thread listens for them, and adds them to the pools of the configuration.
 */
import { describeSystemError } from "../../config/problems/system-error.ts";
import { engineSchema, withFailureDefaults } from "../../config/schema/pool/engine.ts";
import type { Config, PoolConfig } from "../../config/schema/schema.ts";
import { parseHostAndPort } from "../../config/values/engine-url.ts";
import { registeredEnginesMax, registrationDelayMs } from "../../limits.ts";
import { ZmtpRouter } from "../../transport/zmtp/router.ts";
import { ServeError } from "../serve-error.ts";
import { type Registration, readRegistration } from "./registration.ts";

type RegistrationConfig = Config["registrations"][number];

export interface RegistrarDeps {
  readonly log: (level: "notice" | "warn" | "error", message: string) => void;
  /** Called when engines have come, gone or changed: `resolve` returns another configuration now. */
  readonly changed: () => void;
}

interface RegisteredEngine extends Registration {
  /** Removes the engine, unless it registers again before. */
  expiry: NodeJS.Timeout;
}

/** What the next process gets of an address: its listening socket, and the engines that have registered. */
export interface RegisteredEngines {
  readonly zmq: string;
  readonly descriptor: number;
  readonly engines: readonly Registration[];
}

/** One address at which engines register. */
interface Listener {
  /** Undefined = another process listens. */
  router: ZmtpRouter | undefined;
  config: RegistrationConfig;
  /** By leg and URL. */
  readonly engines: Map<string, RegisteredEngine>;
  /** Problems logged already: engines register again every few seconds. */
  readonly problems: Set<string>;
}

const loggedProblemsMax = 256;

export class Registrar {
  readonly #deps: RegistrarDeps;
  /** By address. */
  readonly #listeners = new Map<string, Listener>();
  #pendingChange: NodeJS.Timeout | undefined;
  /** By address; those that the first configuration has no use for are left. */
  readonly #inherited: Map<string, RegisteredEngines>;

  /** @param inherited what the process before had */
  constructor(deps: RegistrarDeps, inherited: readonly RegisteredEngines[] = []) {
    this.#deps = deps;
    this.#inherited = new Map(inherited.map((one) => [one.zmq, one]));
  }

  /**
   * Listens at the addresses that are new in this configuration. If one fails, none is added and a ServeError is
   * thrown.
   */
  async open({ registrations }: Config): Promise<void> {
    const opened: string[] = [];
    try {
      for (const config of registrations) {
        if (this.#listeners.has(config.zmq)) continue;
        opened.push(config.zmq);
        await this.#openOne(config);
      }
    } catch (error) {
      for (const key of opened) this.#closeOne(key);
      throw error;
    }
  }

  /** Applies a configuration that was opened: closes the addresses that it does not have, and removes their engines. */
  use({ registrations }: Config): void {
    const wanted = new Map(registrations.map((config) => [config.zmq, config]));
    for (const [key, listener] of [...this.#listeners]) {
      const config = wanted.get(key);
      if (config === undefined) this.#closeOne(key);
      else listener.config = config;
    }
  }

  /**
   * The configuration with the registered engines added. An engine that the configuration itself has stays as written
   * there.
   */
  resolve(config: Config): Config {
    const pools: Record<string, PoolConfig> = { ...config.pools };
    for (const registration of config.registrations) {
      const engines = this.#listeners.get(registration.zmq)?.engines.values() ?? [];
      for (const { leg, url, attributes } of engines) {
        const name = registration[leg];
        const pool = pools[name]!;
        if (pool.engines.some((engine) => addressIn(engine.url) === addressIn(url))) continue;
        const engine = engineSchema.parse({ url: `http://${url}`, attributes });
        pools[name] = { ...pool, engines: [...pool.engines, withFailureDefaults(engine)] };
      }
    }
    return config.registrations.length === 0 ? config : { ...config, pools };
  }

  /** For the process that takes over. */
  get state(): RegisteredEngines[] {
    return [...this.#listeners].flatMap(([zmq, { router, engines }]) => {
      const descriptor = router?.descriptor;
      if (descriptor === undefined) return [];
      const registrations = [...engines.values()].map(({ expiry: _, ...engine }) => engine);
      return [{ zmq, descriptor, engines: registrations }];
    });
  }

  /** Another process listens from now on: engines connect to it. Those that have registered here stay. */
  suspend(): void {
    for (const listener of this.#listeners.values()) {
      listener.router?.close();
      listener.router = undefined;
      for (const { expiry } of listener.engines.values()) clearTimeout(expiry);
    }
  }

  /** The other process has ended. Rejects with a ServeError. */
  async resume(): Promise<void> {
    for (const listener of this.#listeners.values()) {
      await this.#listen(listener);
      for (const [key, engine] of listener.engines) engine.expiry = this.#expiry(listener, key);
    }
  }

  close(): void {
    clearTimeout(this.#pendingChange);
    for (const key of [...this.#listeners.keys()]) this.#closeOne(key);
  }

  async #openOne(config: RegistrationConfig): Promise<void> {
    const inherited = this.#inherited.get(config.zmq);
    this.#inherited.delete(config.zmq);
    const listener: Listener = {
      config,
      engines: new Map(),
      problems: new Set(),
      router: undefined,
    };
    await this.#listen(listener, inherited?.descriptor);
    for (const engine of inherited?.engines ?? []) {
      const key = `${engine.leg} ${engine.url}`;
      listener.engines.set(key, { ...engine, expiry: this.#expiry(listener, key) });
    }
    this.#listeners.set(config.zmq, listener);
  }

  /** @param descriptor of a socket that listens there already */
  async #listen(listener: Listener, descriptor?: number): Promise<void> {
    const { zmq } = listener.config;
    const address = parseHostAndPort(zmq.slice("tcp://".length), 0);
    if ("problem" in address) throw new ServeError(address.problem, "GP_REGISTRATION");
    const router = new ZmtpRouter({
      message: (parts) => this.#receive(listener, parts),
      refused: (from, why) => this.#problem(listener, `${from} cannot register: ${why}`),
    });
    try {
      await router.listen(address.host, address.port, descriptor);
      listener.router = router;
    } catch (error) {
      const why = describeSystemError(error as NodeJS.ErrnoException);
      const { code = "GP_REGISTRATION" } = error as NodeJS.ErrnoException;
      throw new ServeError(`cannot listen on ${zmq} for engines to register: ${why}`, code);
    }
  }

  #expiry(listener: Listener, key: string): NodeJS.Timeout {
    return setTimeout(() => this.#expired(listener, key), listener.config.timeoutMs);
  }

  #closeOne(key: string): void {
    const listener = this.#listeners.get(key);
    this.#listeners.delete(key);
    listener?.router?.close();
    for (const { expiry } of listener?.engines.values() ?? []) clearTimeout(expiry);
  }

  #receive(listener: Listener, parts: readonly Buffer[]): void {
    const registration = readRegistration(parts);
    if (typeof registration === "string") {
      const where = listener.config.zmq;
      this.#problem(listener, `invalid registration at ${where} is ignored: ${registration}`);
    } else if (registration !== undefined) this.#register(listener, registration);
  }

  #register(listener: Listener, registration: Registration): void {
    const { engines, config } = listener;
    const { leg, url, attributes } = registration;
    const key = `${leg} ${url}`;
    const before = engines.get(key);
    const problem = before === undefined ? whyNotAdded(listener, registration) : undefined;
    if (problem !== undefined) {
      this.#problem(listener, problem);
      return;
    }
    clearTimeout(before?.expiry);
    engines.set(key, { ...registration, expiry: this.#expiry(listener, key) });
    const isSame = JSON.stringify(before?.attributes) === JSON.stringify(attributes);
    if (isSame) return;
    const verb = before === undefined ? "is added to" : "has changed in";
    this.#deps.log("notice", `registered engine ${url} ${verb} pool "${config[leg]}"`);
    this.#changeSoon();
  }

  #expired(listener: Listener, key: string): void {
    const { leg, url } = listener.engines.get(key)!;
    listener.engines.delete(key);
    const { config } = listener;
    const why = `it has not registered again for ${config.timeoutMs} ms`;
    this.#deps.log("warn", `engine ${url} is removed from pool "${config[leg]}": ${why}`);
    this.#changeSoon();
  }

  /** Engines that start together are added by one change of the configuration. */
  #changeSoon(): void {
    this.#pendingChange ??= setTimeout(() => {
      this.#pendingChange = undefined;
      this.#deps.changed();
    }, registrationDelayMs);
  }

  #problem({ problems }: Listener, message: string): void {
    if (problems.has(message) || problems.size >= loggedProblemsMax) return;
    problems.add(message);
    this.#deps.log("error", message);
  }
}

function whyNotAdded(
  { engines, config }: Listener,
  { url, attributes }: Registration,
): string | undefined {
  const [other] = engines.values();
  if (other === undefined) return undefined;
  const mode = attributes["transfer_mode"];
  const otherMode = other.attributes["transfer_mode"];
  if (otherMode !== mode) {
    const modes = `"${mode ?? "none"}", and that of the other engines is "${otherMode ?? "none"}"`;
    return `engine ${url} is not added: its transfer_mode is ${modes}`;
  }
  if (engines.size < registeredEnginesMax) return undefined;
  return `engine ${url} is not added: ${registeredEnginesMax} engines are registered at ${config.zmq} already`;
}

/** Without scheme, rank and attributes. */
function addressIn(url: string): string {
  return url.replace(/^http:\/\//i, "").replace(/[@?/].*$/, "");
}
