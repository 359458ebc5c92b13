/** What legs need of their worker. */
import type { Address } from "../../pool/address.ts";
import type { Placement } from "../../pool/pool.ts";
import type { RequestLeg } from "../../scoreboard/leg-counts.ts";
import type { Clock } from "../../transport/clock.ts";
import type { RetryBudget } from "../context/retry-budget.ts";
import type { EngineFailure } from "./connection/engine-failure.ts";
import type { EngineLink } from "./connection/engine-link.ts";
import type { LinkPool } from "./connection/engine-links.ts";

/** What operators are told. */
export interface LegReports {
  legFailed(placement: Placement, leg: RequestLeg, failure: EngineFailure): void;
  /** A failure is the client's because too many other requests are being retried. @param route its path */
  retryRefused(route: string, budget: RetryBudget): void;
}

export interface LegServices {
  readonly clock: Clock;
  /** The pooled connections to an engine. */
  link(address: Address, pool: LinkPool): EngineLink;
  readonly reports: LegReports;
}
