/** Engines that register themselves: the main thread listens for them, and adds them to the pools of the configuration. */

import { describeSystemError } from "../../config/problems/system-error.ts";
import { engineSchema } from "../../config/schema/pool/pool.ts";
import type { Config, PoolConfig } from "../../config/schema/schema.ts";
import { parseHostAndPort } from "../../config/values/engine-url.ts";
import { registeredEnginesMax, registrationDelayMs } from "../../limits.ts";
import { ZmtpRouter } from "../../transport/zmtp/router.ts";
import { ServeError } from "../workers/ready-config.ts";
import { type Registered, readRegistration } from "./registration.ts";

type RegistrationConfig = Config["registrations"][number];

export interface RegistrarDeps {
  readonly log: (level: "notice" | "warn" | "error", message: string) => void;
  /** Called when engines have come, gone or changed: `resolve` makes another configuration now. */
  readonly changed: () => void;
}

interface Known extends Registered {
  expiry: NodeJS.Timeout;
}

/** One address at which engines register. */
interface RegistrationDesk {
  readonly router: ZmtpRouter;
  config: RegistrationConfig;
  /** By leg and URL. */
  readonly engines: Map<string, Known>;
  /** Told once, not with each ping. */
  readonly problems: Set<string>;
}

const problemsToldMax = 256;

export class Registrar {
  readonly #deps: RegistrarDeps;
  /** By their addresses. */
  readonly #desks = new Map<string, RegistrationDesk>();
  #change: NodeJS.Timeout | undefined;

  constructor(deps: RegistrarDeps) {
    this.#deps = deps;
  }

  /** Listens at the addresses that are new in this configuration. Rejects with a ServeError, and then listens as before. */
  async open({ registrations }: Config): Promise<void> {
    const opened: string[] = [];
    try {
      for (const config of registrations) {
        if (this.#desks.has(config.zmq)) continue;
        opened.push(config.zmq);
        await this.#openOne(config);
      }
    } catch (error) {
      for (const key of opened) this.#closeOne(key);
      throw error;
    }
  }

  /** This configuration is in force: addresses that it does not have are closed, and their engines forgotten. */
  use({ registrations }: Config): void {
    const wanted = new Map(registrations.map((config) => [config.zmq, config]));
    for (const key of [...this.#desks.keys()]) {
      const config = wanted.get(key);
      if (config === undefined) this.#closeOne(key);
      else this.#desks.get(key)!.config = config;
    }
  }

  /** The configuration with the engines that are registered. An engine that it has itself stays as it says. */
  resolve(config: Config): Config {
    const pools: Record<string, PoolConfig> = { ...config.pools };
    for (const registration of config.registrations) {
      for (const { leg, url, attributes } of this.#desks.get(registration.zmq)?.engines.values() ??
        []) {
        const name = registration[leg];
        const pool = pools[name]!;
        if (pool.engines.some((engine) => addressIn(engine.url) === addressIn(url))) continue;
        const engine = engineSchema.parse({ url: `http://${url}`, attributes });
        pools[name] = { ...pool, engines: [...pool.engines, engine] };
      }
    }
    return config.registrations.length === 0 ? config : { ...config, pools };
  }

  close(): void {
    clearTimeout(this.#change);
    for (const key of [...this.#desks.keys()]) this.#closeOne(key);
  }

  async #openOne(config: RegistrationConfig): Promise<void> {
    const address = parseHostAndPort(config.zmq.slice("tcp://".length), 0);
    if ("problem" in address) throw new ServeError(address.problem, "GP_REGISTRATION");
    const queue: RegistrationDesk = {
      config,
      engines: new Map(),
      problems: new Set(),
      router: new ZmtpRouter({
        message: (parts) => this.#message(queue, parts),
        refused: (from, why) => this.#problem(queue, `${from} cannot register: ${why}`),
      }),
    };
    try {
      await queue.router.listen(address.host, address.port);
    } catch (error) {
      const why = describeSystemError(error as NodeJS.ErrnoException);
      const { code = "GP_REGISTRATION" } = error as NodeJS.ErrnoException;
      throw new ServeError(`cannot listen on ${config.zmq} for engines to register: ${why}`, code);
    }
    this.#desks.set(config.zmq, queue);
  }

  #closeOne(key: string): void {
    const queue = this.#desks.get(key);
    this.#desks.delete(key);
    queue?.router.close();
    for (const { expiry } of queue?.engines.values() ?? []) clearTimeout(expiry);
  }

  #message(queue: RegistrationDesk, parts: readonly Buffer[]): void {
    const said = readRegistration(parts);
    if (typeof said === "string") this.#problem(queue, `an engine cannot register: ${said}`);
    else if (said !== undefined) this.#heard(queue, said);
  }

  #heard(queue: RegistrationDesk, said: Registered): void {
    const { engines, config } = queue;
    const key = `${said.leg} ${said.url}`;
    const before = engines.get(key);
    const mode = said.attributes["transfer_mode"];
    const other = [...engines.values()].find((known) => known !== before);
    const otherMode = other?.attributes["transfer_mode"];
    if (before === undefined && other !== undefined && otherMode !== mode) {
      const modes = `${mode ?? "none"}, others ${otherMode ?? "none"}`;
      this.#problem(queue, `engine ${said.url} is not added: its transfer mode is ${modes}`);
      return;
    }
    if (before === undefined && engines.size >= registeredEnginesMax) {
      this.#problem(queue, `more than ${registeredEnginesMax} engines register at ${config.zmq}`);
      return;
    }
    clearTimeout(before?.expiry);
    const expiry = setTimeout(() => this.#expired(queue, key), config.timeoutMs);
    engines.set(key, { ...said, expiry });
    const isSame = JSON.stringify(before?.attributes) === JSON.stringify(said.attributes);
    if (isSame) return;
    const verb = before === undefined ? "registers with" : "is changed in";
    this.#deps.log("notice", `engine ${said.url} ${verb} pool ${config[said.leg]}`);
    this.#soon();
  }

  #expired(queue: RegistrationDesk, key: string): void {
    const { leg, url } = queue.engines.get(key)!;
    queue.engines.delete(key);
    const { timeoutMs } = queue.config;
    this.#deps.log("warn", `engine ${url} (${leg}) has not been heard of for ${timeoutMs} ms`);
    this.#soon();
  }

  /** Engines that start together come together. */
  #soon(): void {
    if (this.#change !== undefined) return;
    this.#change = setTimeout(() => {
      this.#change = undefined;
      this.#deps.changed();
    }, registrationDelayMs);
  }

  #problem(queue: RegistrationDesk, message: string): void {
    if (queue.problems.has(message) || queue.problems.size >= problemsToldMax) return;
    queue.problems.add(message);
    this.#deps.log("error", message);
  }
}

/** Without scheme, rank and attributes. */
function addressIn(url: string): string {
  return url.replace(/^http:\/\//i, "").replace(/[@?/].*$/, "");
}
