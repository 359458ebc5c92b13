/** What legs need of their worker. */
import type { LegName } from "../../dialects/dialect.ts";
import type { Address } from "../../pool/address.ts";
import type { Placement } from "../../pool/pool.ts";
import type { Clock } from "../../transport/clock.ts";
import type { EngineFailure } from "./engine-failure.ts";
import type { EngineLink, LinkSettings } from "./engine-link.ts";

export interface LegServices {
  readonly clock: Clock;
  /** The pooled connections to an engine. */
  link(address: Address, settings: LinkSettings): EngineLink;
  reportLegFailure(placement: Placement, leg: LegName | "encode", failure: EngineFailure): void;
}
