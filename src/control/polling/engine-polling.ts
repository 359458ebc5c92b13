/** What the main thread asks engines for while they serve: their load, and whether they are well. */
import type { Config } from "../../config/schema/schema.ts";
import type { SlotsByIdentity } from "../../pool/slots.ts";
import { HealthChecker, type HealthCheckerDeps } from "./health-checker.ts";
import { LoadPoller, type LoadPollerDeps, type SignalState } from "./load-poller.ts";

export class EnginePolling {
  readonly #poller: LoadPoller;
  readonly #checker: HealthChecker;

  constructor(deps: HealthCheckerDeps & LoadPollerDeps) {
    this.#poller = new LoadPoller(deps);
    this.#checker = new HealthChecker(deps);
  }

  use(config: Config, slots: SlotsByIdentity): void {
    this.#poller.use(config, slots);
    this.#checker.use(config, slots);
  }

  /** Of all engines that are asked for their load, by identity. */
  get signals(): ReadonlyMap<string, SignalState> {
    return this.#poller.states;
  }

  close(): void {
    this.#poller.close();
    this.#checker.close();
  }
}
