/**
 * Requests that decode would reject for their limits of tokens. A prefill is asked for one token, so it would be made
 * all the same, and its KV cache be of no use to anybody.
 */
import type { TopLevel } from "../../body/json/top-level.ts";
import { generatingAt } from "../../dialects/endpoints/find-endpoint.ts";
import { tokenLimits } from "../../dialects/shared/token-limits.ts";
import { mostContextTokens } from "../../pool/engine.ts";
import { type Outcome, outcomes } from "../context/outcomes.ts";
import type { RequestContext } from "../context/request-context.ts";
import type { Route } from "../routing/route.ts";

/** Undefined = an engine may take it. The error is like an engine's own. */
export function rejectedLimits(
  context: RequestContext,
  members: TopLevel,
  route: Route,
): Outcome | undefined {
  const { family } = route.dialect;
  if (family?.rejects === undefined) return undefined;
  const contextTokens = mostContextTokens(route.targetPool?.current.engines ?? []);
  const limits = tokenLimits(members, generatingAt(route.enginePath(context)));
  const rejection = limits && family.rejects(limits, contextTokens);
  if (rejection === undefined) return undefined;
  const { message, type, param } = rejection;
  return { ...outcomes.tokenLimits, message, likeEngine: { type, param } };
}
