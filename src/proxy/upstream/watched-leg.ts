/** What the health of a leg needs of the leg, and of the request that it is part of. */

import type { Placement } from "../../pool/pool.ts";
import type { RequestLeg } from "../../scoreboard/leg-counts.ts";
import type { Clock } from "../../transport/clock.ts";

export interface WatchedLeg {
  readonly name: RequestLeg;
  /** Gives this try up if another engine may be tried; false = there is none, and it goes on waiting. */
  giveUp(cause: string): boolean;
}

/** Of a leg that another one waits for. */
export interface AwaitedHealth {
  /** The try under way has waited for too long. */
  readonly isLate: boolean;
  /** Whether its engine has responded to what was sent to it later. */
  readonly isOvertaken: boolean;
}

/** How long legs may wait for their engines. */
export interface Patience<Leg extends WatchedLeg> {
  /** Whether the client asks for a stream. */
  readonly asksForStream: boolean;
  /** The health of another leg, if this one waits for it and not only for its engine. */
  awaited(leg: Leg): AwaitedHealth | undefined;
  /** Whether the leg may go to another engine if this one times out. */
  mayTimeOut(leg: Leg): boolean;
}

export interface WatchedRequest<Leg extends WatchedLeg> {
  readonly services: { readonly clock: Clock };
  /** The leg at the other end of the KV transfer, whose engine may have failed instead. */
  peerOf?(leg: Leg): { readonly place: { readonly placement: Placement | undefined } } | undefined;
  /** Undefined = its legs are not given up. */
  readonly patience?: Patience<Leg>;
}
