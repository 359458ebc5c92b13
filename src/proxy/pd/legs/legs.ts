/** The legs of one request, and how each of them gets its engine. */
import type { LegName } from "../../../dialects/dialect.ts";
import type { PickRequest } from "../../../policies/shared/policy.ts";
import type { PickFailure } from "../../../pool/pool.ts";
import { holdersIn } from "../../context/engine-model.ts";
import type { Route } from "../../routing/route.ts";
import type { ForwardedRequest } from "../../upstream/forwarded-request.ts";
import { Leg, type LegRequest } from "../../upstream/leg.ts";
import { PickRequests } from "./pick-requests.ts";
import { Targets } from "./targets.ts";

/** An engine that the queue has reserved for the prefill. */
interface QueuedPlace {
  /** False if there is none (any more). */
  reserve(leg: Leg, uri: string, pick: PickRequest): boolean;
}

export class Legs {
  readonly targets: Targets;
  readonly picks: PickRequests;
  readonly decode: Leg;
  /** Undefined = there is nothing to prefill. */
  prefill: Leg | undefined;
  readonly #request: ForwardedRequest;
  readonly #owner: LegRequest;

  constructor(request: ForwardedRequest, route: Route, owner: LegRequest) {
    this.#request = request;
    this.#owner = owner;
    this.targets = new Targets(request, route);
    this.picks = new PickRequests(request);
    this.decode = new Leg("decode", owner, request.context);
  }

  addPrefill(): void {
    this.prefill = new Leg("prefill", this.#owner, this.#request.context);
  }

  get(name: LegName): Leg {
    return name === "prefill" ? this.prefill! : this.decode;
  }

  /** A request for the rest of a response begins: only what its engine says counts. */
  forgetTries(): void {
    this.prefill?.place.forgetTries();
    this.decode.place.forgetTries();
  }

  /** The leg, if it is under way, is not wanted any more. */
  giveUp(name: LegName): void {
    (name === "prefill" ? this.prefill : this.decode)?.cancel();
  }

  /** Whether an engine could be picked for the leg now; if not, says why. */
  lookFor(name: LegName): PickFailure | undefined {
    const pool = this.targets.destination(name)?.pool;
    if (pool === undefined) return "no-healthy-engine";
    const { context, worker } = this.#request;
    return pool.vacancy(worker.clock.wallMs(), holdersIn(pool, context));
  }

  /** Reserves an engine that the leg has not tried; if there is none, says why. */
  reserve(name: LegName, queued: QueuedPlace | undefined): PickFailure | undefined {
    const destination = this.targets.destination(name);
    if (destination === undefined) return "no-healthy-engine";
    const { pool, uri } = destination;
    const leg = this.get(name);
    const pick = this.picks.pick(pool);
    if (name === "prefill" && queued?.reserve(leg, uri, pick)) return undefined;
    return leg.reserve(pool, uri, pick);
  }

  /**
   * The leg at the other end of the KV transfer: the prefill, or decode if the prefill has to know its engine.
   * Undefined = there is none, or its engine could be no other.
   */
  peerOf(leg: Leg): Leg | undefined {
    const peer = leg === this.decode ? this.prefill : this.decode;
    const isNamed = leg === this.decode || this.decode.isReserved;
    return isNamed && (peer?.pool?.size ?? 0) > 1 ? peer : undefined;
  }

  /** The leg is tried again: with another engine at the other end too, if that may be why it has failed. */
  changePair(name: LegName): void {
    const leg = this.get(name);
    const peer = this.peerOf(leg);
    if (!leg.health.mayBePeers || !peer?.place.hasNext) return;
    if (!leg.mayTryAnother) leg.place.untry();
    peer.suspect(leg.engine!);
  }
}
