/** An address at which engines register themselves: those that ping it are in its pools. */
import { describeSystemError } from "../../../config/problems/system-error.ts";
import { engineSchema, withFailureDefaults } from "../../../config/schema/pool/engine.ts";
import type { Config, EngineConfig } from "../../../config/schema/schema.ts";
import { parseHostAndPort } from "../../../config/values/engine-url.ts";
import { zmtpConnectionsMax, zmtpFrameBytesMax, zmtpIdleTimeoutMs } from "../../../limits.ts";
import { ZmtpServer } from "../../../transport/zmtp/server.ts";
import { registeredEnginesMax, registrationLateMsMin } from "../../limits.ts";
import { ServeError } from "../../serve-error.ts";
import { type Registration, readRegistration } from "./registration-message.ts";
import type { EngineSource, SourceDeps, SourceState } from "./source.ts";

type RegistrationConfig = Config["registrations"][number];

const routerOptions = {
  type: "ROUTER",
  connectionsMax: zmtpConnectionsMax,
  messageBytesMax: zmtpFrameBytesMax,
  idleTimeoutMs: zmtpIdleTimeoutMs,
} as const;

interface RegisteredEngine extends Registration {
  /** Removes the engine, unless it registers again before. */
  expiry: NodeJS.Timeout;
}

const loggedProblemsMax = 256;

export class RegistrationSource implements EngineSource {
  readonly name: string;
  #config: RegistrationConfig;
  readonly #deps: SourceDeps;
  /** Undefined = another process listens. */
  #router: ZmtpServer | undefined;
  /** By leg and URL. */
  readonly #engines = new Map<string, RegisteredEngine>();
  /** Problems logged already: engines register again every few seconds. */
  readonly #problems = new Set<string>();

  constructor(config: RegistrationConfig, deps: SourceDeps) {
    this.name = `registration ${config.zmq}`;
    this.#config = config;
    this.#deps = deps;
  }

  enginesOf(pool: string): readonly EngineConfig[] {
    return [...this.#engines.values()]
      .filter(({ leg }) => this.#config[leg] === pool)
      .map(({ url, attributes }) =>
        withFailureDefaults(engineSchema.parse({ url: `http://${url}`, attributes })),
      );
  }

  /** Of a new configuration with the same address: its pools and its time-out. */
  use(config: RegistrationConfig): void {
    this.#config = config;
  }

  async open(before?: SourceState): Promise<void> {
    await this.#listen(before?.descriptor);
    for (const engine of (before?.said ?? []) as readonly Registration[]) {
      const key = `${engine.leg} ${engine.url}`;
      this.#engines.set(key, { ...engine, expiry: this.#expiry(key) });
    }
  }

  get state() {
    const descriptor = this.#router?.descriptor;
    if (descriptor === undefined) return undefined;
    return { descriptor, said: [...this.#engines.values()].map(({ expiry: _, ...one }) => one) };
  }

  /** Another process listens from now on: engines connect to it. Those that have registered here stay. */
  suspend(): void {
    this.#router?.close();
    this.#router = undefined;
    for (const { expiry } of this.#engines.values()) clearTimeout(expiry);
  }

  async resume(): Promise<void> {
    await this.#listen();
    for (const [key, engine] of this.#engines) engine.expiry = this.#expiry(key);
  }

  close(): void {
    this.#router?.close();
    for (const { expiry } of this.#engines.values()) clearTimeout(expiry);
  }

  /** @param descriptor of a socket that listens there already */
  async #listen(descriptor?: number): Promise<void> {
    const { zmq } = this.#config;
    const address = parseHostAndPort(zmq.slice("tcp://".length), 0);
    if ("problem" in address) throw new ServeError(address.problem, "GP_REGISTRATION");
    const router = new ZmtpServer(routerOptions, {
      message: (_, parts) => this.#receive(parts),
      refused: (from, why) => this.#problem(`${from} cannot register: ${why}`),
    });
    try {
      await router.listen(address.host, address.port, descriptor);
      this.#router = router;
    } catch (error) {
      const why = describeSystemError(error as NodeJS.ErrnoException);
      const { code = "GP_REGISTRATION" } = error as NodeJS.ErrnoException;
      throw new ServeError(`cannot listen on ${zmq} for engines to register: ${why}`, code);
    }
  }

  /**
   * The engine's time-out. While this process does not get to run it reads no pings, so that time does not count: a
   * process that was stopped for a while would lose all of its engines at once.
   */
  #expiry(key: string, timeoutMs: number = this.#config.timeoutMs): NodeJS.Timeout {
    const dueMs = this.#deps.nowMs() + timeoutMs;
    return setTimeout(() => {
      const lateMs = this.#deps.nowMs() - dueMs;
      if (lateMs < registrationLateMsMin) this.#expired(key);
      else this.#engines.get(key)!.expiry = this.#expiry(key, Math.min(lateMs, timeoutMs));
    }, timeoutMs);
  }

  #receive(parts: readonly Buffer[]): void {
    const registration = readRegistration(parts);
    if (typeof registration === "string") {
      const where = this.#config.zmq;
      this.#problem(`invalid registration at ${where} is ignored: ${registration}`);
    } else if (registration !== undefined) this.#register(registration);
  }

  #register(registration: Registration): void {
    const { leg, url, attributes } = registration;
    const key = `${leg} ${url}`;
    const before = this.#engines.get(key);
    const problem = before === undefined ? this.#whyNotAdded(registration) : undefined;
    if (problem !== undefined) {
      this.#problem(problem);
      return;
    }
    clearTimeout(before?.expiry);
    this.#engines.set(key, { ...registration, expiry: this.#expiry(key) });
    const isSame = JSON.stringify(before?.attributes) === JSON.stringify(attributes);
    if (isSame) return;
    const verb = before === undefined ? "is added to" : "has changed in";
    this.#deps.log("notice", `registered engine ${url} ${verb} pool "${this.#config[leg]}"`);
    this.#deps.changed();
  }

  #expired(key: string): void {
    const { leg, url } = this.#engines.get(key)!;
    this.#engines.delete(key);
    const why = `it has not registered again for ${this.#config.timeoutMs} ms`;
    this.#deps.log("warn", `engine ${url} is removed from pool "${this.#config[leg]}": ${why}`);
    this.#deps.changed();
  }

  #problem(message: string): void {
    if (this.#problems.has(message) || this.#problems.size >= loggedProblemsMax) return;
    this.#problems.add(message);
    this.#deps.log("error", message);
  }

  #whyNotAdded({ url, attributes }: Registration): string | undefined {
    const [other] = this.#engines.values();
    if (other === undefined) return undefined;
    const mode = attributes["transfer_mode"];
    const otherMode = other.attributes["transfer_mode"];
    if (otherMode !== mode) {
      const modes = `"${mode ?? "none"}", and that of the other engines is "${otherMode ?? "none"}"`;
      return `engine ${url} is not added: its transfer_mode is ${modes}`;
    }
    if (this.#engines.size < registeredEnginesMax) return undefined;
    const where = this.#config.zmq;
    return `engine ${url} is not added: ${registeredEnginesMax} engines are registered at ${where} already`;
  }
}
