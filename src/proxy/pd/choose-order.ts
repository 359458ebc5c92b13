/** Which way a request goes: through prefill and decode in its dialect's order, to one engine alone, or nowhere. */
import type { DialectRequest } from "../../dialects/dialect.ts";
import { generatingAt } from "../../dialects/endpoints/endpoint.ts";
import { type Outcome, outcomes } from "../context/outcomes.ts";
import { previousResponse } from "../response/stored-response.ts";
import type { Route } from "../routing/route.ts";
import type { ForwardedRequest } from "../upstream/forwarded-request.ts";
import type { Order } from "./exchange.ts";
import type { LegPlaces } from "./leg-places.ts";

export interface Plan {
  readonly order: Order;
  /** Undefined = no dialect has a say in it. */
  readonly dialectRequest: DialectRequest | undefined;
  /** Why it cannot be forwarded at all. */
  readonly refusal: Outcome | undefined;
}

/** @param prefills it is of a kind that has a prefill on this route */
export function chooseOrder(
  request: ForwardedRequest,
  route: Route,
  places: LegPlaces,
  prefills: boolean,
): Plan {
  const { context, worker, members } = request;
  const alone = { order: "decode-only", dialectRequest: undefined, refusal: undefined } as const;
  if (members === undefined) return alone;
  const { dialect, config } = route;
  const { requestId } = context;
  const path = route.enginePath(context);
  const dialectRequest = { members, path, requestId, ids: worker.ids };
  const { requiresPrefill = false } = dialect;
  if (!prefills || !(requiresPrefill || places.isLong(config.prefillMinTokens)))
    return { ...alone, dialectRequest };
  // Only the engine that keeps an answer can go on with it.
  const goesOn = previousResponse(generatingAt(path), members) !== "";
  if (!goesOn && (dialect.supports?.(dialectRequest) ?? true)) {
    return { order: dialect.order, dialectRequest, refusal: undefined };
  }
  return {
    ...alone,
    dialectRequest,
    refusal: requiresPrefill ? outcomes.unsupportedRequest : undefined,
  };
}
