/** What measures the response to a request, where somebody asks for its tokens. */
import { ResponseMeter } from "../context/response-meter.ts";
import type { Route } from "../routing/route.ts";
import type { RequestServices } from "./request-services.ts";

/** Undefined = nobody asks. */
export function takeMeter(
  { metrics, clock, tracer }: RequestServices,
  { logsTokens }: Route,
): ResponseMeter | undefined {
  const isAsked = logsTokens || tracer !== undefined;
  return metrics?.takeMeter() ?? (isAsked ? new ResponseMeter(clock) : undefined);
}
