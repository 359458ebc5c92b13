/** Which way a request goes: through prefill and decode in its dialect's order, to one engine alone, or nowhere. */
import type { TopLevel } from "../../../body/json/top-level.ts";
import type { DialectRequest } from "../../../dialects/dialect.ts";
import { generatingAt } from "../../../dialects/endpoints/find-endpoint.ts";
import { lacksRequired } from "../../../dialects/shared/member-facts.ts";
import { generatesNothing } from "../../../dialects/shared/token-limits.ts";
import type { Engine } from "../../../pool/engine.ts";
import { type Outcome, outcomes } from "../../context/outcomes.ts";
import { previousResponse } from "../../response/stored-response.ts";
import type { Route } from "../../routing/route.ts";
import type { ForwardedRequest } from "../../upstream/forwarded-request.ts";
import type { ExchangeOptions, Order } from "../exchange/exchange-actions.ts";
import type { PickRequests } from "./pick-requests.ts";
import { prefillSkip } from "./prefill-skip.ts";
import type { Targets } from "./targets.ts";

export interface Plan {
  readonly order: Order;
  /** Undefined = no dialect has a say in it. */
  readonly dialectRequest: DialectRequest | undefined;
  /** Why it cannot be forwarded at all. */
  readonly refusal: Outcome | undefined;
  /** The decode engine that has so much of the prompt cached that its prefill is skipped; undefined = none. */
  readonly cachedAt: Engine | undefined;
}

/** @param prefills it is of a kind that has a prefill on this route */
export function chooseOrder(
  request: ForwardedRequest,
  route: Route,
  legs: { readonly picks: PickRequests; readonly targets: Targets },
  prefills: boolean,
): Plan {
  const { context, worker, members } = request;
  if (members === undefined) return planOf("decode-only", undefined);
  const { dialect, config } = route;
  const { requestId } = context;
  const path = route.enginePath(context);
  const dialectRequest = { members, path, requestId, ids: worker.ids };
  const { requiresPrefill = false } = dialect;
  if (!prefills) return planOf("decode-only", dialectRequest);
  const endpoint = generatingAt(path);
  if (!requiresPrefill) {
    if (lacksRequired(members, endpoint)) return planOf("decode-only", dialectRequest);
    if (failsPrefill(members, route, legs.targets)) return planOf("decode-only", dialectRequest);
    const skip = prefillSkip(request, legs, config.prefillMinTokens);
    if (skip !== undefined) {
      const cachedAt = skip === "short-prompt" ? undefined : skip.engine;
      return planOf("decode-only", dialectRequest, undefined, cachedAt);
    }
  }
  // Only the engine that stores a response can continue it.
  const isOfOne = previousResponse(endpoint, members) !== "" || generatesNothing(members, endpoint);
  if (!isOfOne && (dialect.supports?.(dialectRequest) ?? true)) {
    return planOf(dialect.order, dialectRequest);
  }
  const refusal = requiresPrefill ? outcomes.unsupportedRequest : undefined;
  return planOf("decode-only", dialectRequest, refusal);
}

/** Whether a prefill engine that the request may come to is of a version that fails it. */
function failsPrefill(members: TopLevel, { dialect }: Route, targets: Targets): boolean {
  const failure = dialect.family?.prefillFailure;
  if (failure?.concerns(members) !== true) return false;
  const engines = targets.pool("prefill")?.engines ?? [];
  return engines.some(({ info }) => failure.concernsVersion(info.attributes["version"] ?? ""));
}

function planOf(
  order: Order,
  dialectRequest: DialectRequest | undefined,
  refusal?: Outcome,
  cachedAt?: Engine,
): Plan {
  return { order, dialectRequest, refusal, cachedAt };
}

export function exchangeOptions(
  { config, dialect, prefills }: Route,
  order: Order,
): ExchangeOptions {
  const tries = config.retry.tries === 0 ? Number.POSITIVE_INFINITY : config.retry.tries;
  return {
    order,
    choosesDecodeFirst: dialect.choosesDecodeFirst ?? false,
    tries: { prefill: tries, decode: tries },
    fallsBack: config.onPrefillFailure === "decode_only" && !dialect.requiresPrefill,
    servesWhole: !prefills,
  };
}
