/** Where each leg of a request goes: its pool, and the path and query for the engine. */

import type { LegName } from "../../../dialects/dialect.ts";
import type { Pool } from "../../../pool/pool.ts";
import { holdersIn } from "../../context/engine-model.ts";
import { type InternalRoute, internalRoute } from "../../routing/internal-route.ts";
import type { Destination, Route } from "../../routing/route.ts";
import type { ForwardedRequest } from "../../upstream/forwarded-request.ts";

export class Targets {
  readonly #request: ForwardedRequest;
  readonly #route: Route;
  /** Path and pool of the prefill, which internal routing finds once. */
  #prefill: InternalRoute | undefined;
  /**
   * The request goes to a prefill engine, although any engine can serve it: nobody waits for its response token by
   * token, as they do at decode engines.
   */
  readonly #prefersPrefill: boolean;

  constructor(request: ForwardedRequest, route: Route) {
    this.#request = request;
    this.#route = route;
    const { prefillPool: pool } = route;
    const { endpoint, context, worker } = request;
    this.#prefersPrefill =
      endpoint?.servedBy === "any-engine" &&
      pool !== undefined &&
      pool.vacancy(worker.clock.wallMs(), holdersIn(pool, context)) === undefined;
  }

  /** The route whose header lines the prefill gets. */
  get prefillRoute(): Route {
    return this.#prefill?.route ?? this.#route;
  }

  /** In the pool of the configuration that is in force now; undefined = the route leads to no pool. */
  destination(leg: LegName): Destination | undefined {
    const found = this.#destination(leg);
    const pool = found?.pool.current;
    return pool === found?.pool ? found : { pool: pool!, uri: found!.uri };
  }

  /** The pool of that destination. */
  pool(leg: LegName): Pool | undefined {
    const pool = leg === "prefill" ? this.#route.prefillPool : undefined;
    return (pool ?? this.#destination(leg)?.pool)?.current;
  }

  #destination(leg: LegName): Destination | undefined {
    const route = this.#route;
    const { context, server } = this.#request;
    if (leg === "decode" && !this.#prefersPrefill) return route.destination(context);
    if (route.prefillPool !== undefined) {
      const destination = route.destination(context);
      return destination && { pool: route.prefillPool, uri: destination.uri };
    }
    this.#prefill ??= internalRoute(server, context, route.prefillLocation);
    return this.#prefill?.destination;
  }
}
