/** Where each leg of a request may go, and what a policy has to know of the request to choose an engine there. */
import { promptBlocks } from "../body/prompt-blocks.ts";
import type { EngineInfo, Engines } from "../dialects/dialect.ts";
import type { Pool } from "../fleet/pool.ts";
import { promptBlockBytes, promptBlocksMax } from "../limits.ts";
import type { PickRequest } from "../scheduling/policy.ts";
import type { LegName } from "./exchange.ts";
import type { Forwarded } from "./forwarded.ts";
import { dpRankHeader } from "./head-plan.ts";
import { type InternalRoute, internalRoute } from "./internal-route.ts";
import type { Leg } from "./leg.ts";
import type { Destination, Route } from "./route.ts";

/** Of English text and most tokenizers. */
export const bytesPerToken = 4;
const noBlocks: readonly number[] = [];

export class LegPlaces {
  readonly #request: Forwarded;
  readonly #route: Route;
  /** Path and pool of the prefill, found by internal routing once. */
  #prefill: InternalRoute | undefined;
  /** Hashes of the prompt's blocks, made once, where a policy goes by them. */
  #blocks: number[] | undefined;

  constructor(request: Forwarded, route: Route) {
    this.#request = request;
    this.#route = route;
  }

  /** The route whose header lines the prefill gets. */
  get prefillRoute(): Route {
    return this.#prefill?.route ?? this.#route;
  }

  destination(name: LegName): Destination | undefined {
    const route = this.#route;
    const { context, server } = this.#request;
    if (name === "decode") return route.destination(context);
    if (route.prefillPool !== undefined) {
      const destination = route.destination(context);
      return destination && { pool: route.prefillPool, uri: destination.uri };
    }
    this.#prefill ??= internalRoute(server, context, route.prefillLocation);
    return this.#prefill?.destination;
  }

  pick(pool: Pool): PickRequest {
    const { context, service } = this.#request;
    return {
      bytes: context.body.length,
      tokens: context.body.length / bytesPerToken,
      blocks: pool.usesBlocks ? this.#promptBlocks() : noBlocks,
      clientAddress: context.connection.remoteAddress,
      key: service.policyKey(pool, context),
    };
  }

  #promptBlocks(): readonly number[] {
    const { members } = this.#request;
    if (this.#blocks === undefined && members !== undefined) {
      this.#blocks = [];
      promptBlocks(members, promptBlockBytes, promptBlocksMax, this.#blocks);
    }
    return this.#blocks ?? noBlocks;
  }
}

/** For an engine that is one data-parallel rank of several behind its address. */
export function rankLine({ engine }: Leg): string {
  const rank = engine?.info.dpRank ?? -1;
  return rank < 0 ? "" : `${dpRankHeader}: ${rank}\r\n`;
}

/** Stands for an engine that has not been chosen. */
export const nowhere: EngineInfo = Object.freeze({ host: "", port: 0, dpRank: -1, attributes: {} });

export const noEngines: Engines = Object.freeze({ prefill: nowhere, decode: nowhere });
