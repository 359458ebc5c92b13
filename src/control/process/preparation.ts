/** Makes a configuration ready for the workers of this machine and process: what they can do without knowing either. */
import type { Runtime } from "../../config/check/runtime.ts";
import type { Config } from "../../config/schema/schema.ts";
import type { ErrorLog } from "../../observe/error-log.ts";
import type { Discovery } from "../discovery/discovery.ts";
import {
  type ChosenPorts,
  FreePorts,
  listenKeys,
  openFilesMax,
  sharePorts,
  withinDescriptors,
  withoutSharing,
} from "../workers/ready-config.ts";
import { removeStaleSockets } from "../workers/stale-sockets.ts";

export interface PreparationOptions {
  readonly runtime: Runtime;
  readonly workers: number;
  readonly discovery: Discovery;
  readonly log: ErrorLog;
  /** By the process before. */
  readonly chosenPorts?: ChosenPorts | undefined;
}

export class Preparation {
  readonly ports: FreePorts;
  readonly #options: PreparationOptions;
  /** What was logged last of the configuration before. */
  #said = "";

  constructor(options: PreparationOptions) {
    this.#options = options;
    this.ports = new FreePorts(options.chosenPorts);
  }

  /** @param known keys of addresses that this instance listens on already */
  async ready(written: Config, known: ReadonlySet<string>): Promise<Config> {
    const { workers, log, discovery, runtime } = this.#options;
    const fitted = withinDescriptors(written, workers, openFilesMax(), {
      notice: (message) => this.#once(message, () => log.notice(message)),
      warn: (message) => this.#once(message, () => log.warn(message)),
    });
    const config = await discovery.resolve(fitted);
    const filled = await this.ports.fillIn(config);
    await removeStaleSockets(filled, known);
    return runtime.sharedPorts ? sharePorts(filled, known) : withoutSharing(filled);
  }

  /** A configuration is made ready again each time that engines come or go. */
  #once(message: string, log: () => void): void {
    if (message !== this.#said) log();
    this.#said = message;
  }

  /** Keys of the addresses that a configuration listens on. */
  async keysOf(config: Config): Promise<Set<string>> {
    return listenKeys(await this.ports.fillIn(config));
  }
}
