/**
 * Whether a route allows another engine after a failure: by nginx's conditions, and never if that could do twice what
 * must not be done twice.
 */
import type { RetryCondition, RetryConfig } from "../../config/schema/schema.ts";
import { retryConditions } from "../../config/values/retry-conditions.ts";
import { endpointOf } from "../../dialects/endpoints/find-endpoint.ts";
import { retryAfterMs } from "../../http1/fields/retry-after.ts";
import type { ResponseHead } from "../../http1/head/response-head.ts";
import { backpressureMaxMs, backpressureMs, deadlineTickMs } from "../../limits.ts";
import type { LegFailure } from "../context/legs.ts";
import type { RequestContext } from "../context/request-context.ts";
import type { Route } from "../routing/route.ts";

const failureConditions: Readonly<Record<Exclude<LegFailure, "descriptors">, RetryCondition>> = {
  error: "error",
  timeout: "timeout",
  invalid: "invalid_header",
};

/** nginx's methods of which it says that they are not idempotent. */
const changes: ReadonlySet<string> = new Set(["POST", "LOCK", "PATCH"]);
/** Methods that change nothing, RFC 9110 9.2.1: what PUT and DELETE do at one engine must not be done at two. */
const reads: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);

/** A status of 5xx that has no condition of its own is as 500, except by nginx's rules. */
export function conditionOf(
  failure: Exclude<LegFailure, "descriptors"> | number,
  { rules }: Pick<RetryConfig, "rules">,
): RetryCondition {
  if (typeof failure !== "number") return failureConditions[failure];
  const condition = `http_${failure}` as RetryCondition;
  const isOther = failure >= 500 && !retryConditions.includes(condition);
  return isOther && rules === "inference" ? "http_500" : condition;
}

/**
 * @param failure what befell the leg, or the status of its response
 * @param elapsedMs since the request was sent to the first engine
 */
export function allowsRetry(
  retry: RetryConfig,
  failure: LegFailure | number,
  elapsedMs: number,
): boolean {
  // Another engine would need one as well.
  if (failure === "descriptors") return false;
  const { on, timeoutMs } = retry;
  const condition = conditionOf(failure, retry);
  if (on.includes("off") || !on.includes(condition)) return false;
  return timeoutMs === 0 || elapsedMs <= timeoutMs;
}

/**
 * Whether a request that has reached an engine may reach another one as well. nginx: by its method, or if the route
 * says `non_idempotent`.
 */
export function mayRunTwice(context: RequestContext, route: Route): boolean {
  const { on, rules } = route.config.retry;
  if (on.includes("non_idempotent")) return true;
  if (rules === "nginx") return !changes.has(context.method);
  return reads.has(context.method) || isInference(context, route);
}

/**
 * Whether a request may be sent once more to an engine that has closed a pooled connection without a response. nginx:
 * by its method. It pools connections only where it is told to; here all are pooled, so inference is sent again by
 * either rules.
 */
export function mayBeResent(context: RequestContext, route: Route): boolean {
  if (!changes.has(context.method) || route.config.retry.on.includes("non_idempotent")) return true;
  return isInference(context, route);
}

/** Whether it only computes something: to do that twice changes nothing. */
function isInference(context: RequestContext, route: Route): boolean {
  if (context.method !== "POST") return false;
  // Where endpoints do not count, all that is posted is prefilled.
  if (route.prefills && !route.byEndpoint) return true;
  const endpoint = endpointOf(route.enginePath(context));
  // To cancel a stored response is no computation.
  return endpoint !== undefined && endpoint.servedBy !== "storing-engine";
}

/**
 * How long the engine wants no more requests, in ms: it works, but has too much to do. 0 = it does not say so.
 * @param wallMs now, since the epoch
 */
export function backpressureOf(
  { status, fields }: ResponseHead,
  { rules }: RetryConfig,
  wallMs: number,
): number {
  if (rules !== "inference" || (status !== 429 && status !== 503)) return 0;
  const askedMs = retryAfterMs(fields.get("retry-after") ?? "", wallMs) ?? backpressureMs;
  return Math.min(backpressureMaxMs, Math.max(deadlineTickMs, askedMs));
}
