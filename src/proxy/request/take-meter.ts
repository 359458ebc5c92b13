/** The meter of a request's response, where somebody asks for its tokens. */
import type { RequestContext } from "../context/request-context.ts";
import { ResponseMeter } from "../context/response-meter.ts";
import type { Route } from "../routing/route.ts";
import type { RequestServices } from "./request-services.ts";

/** Of a request that is recorded, whatever becomes of it; undefined = none is. */
export function recordedMeter(
  { method }: RequestContext,
  { recorder, metrics }: RequestServices,
): ResponseMeter | undefined {
  if (recorder === undefined || method !== "POST") return undefined;
  return metrics?.takeMeter() ?? new ResponseMeter();
}

/** Of one that asks for tokens, or has to pay for them; undefined = nobody asks how many there are. */
export function takeMeter(
  { tenant }: RequestContext,
  { logsTokens }: Route,
  { metrics, tracer, clock }: RequestServices,
  generates: boolean,
): ResponseMeter | undefined {
  const isPaid = tenant?.countsTokens ?? false;
  if (!generates && !isPaid) return undefined;
  const isAsked = isPaid || logsTokens || tracer !== undefined;
  return metrics?.takeMeter() ?? (isAsked ? new ResponseMeter(clock) : undefined);
}
