/** What is written and counted of a request that has ended. */
import type { RequestContext } from "../context/request-context.ts";
import type { RequestLog } from "../routing/access-log.ts";
import type { BodyLease } from "./body-lease.ts";
import type { RequestServices } from "./request-services.ts";

/** @param generates it asked an engine for tokens */
export function account(
  context: RequestContext,
  worker: RequestServices,
  logs: readonly RequestLog[],
  body: BodyLease,
  generates: boolean,
): void {
  context.tenant?.ended();
  context.releaseLimits?.();
  worker.metrics?.ended(context, generates);
  for (const log of logs) log.write(context);
  worker.tracer?.ended(context);
  if (context.explanation !== undefined) worker.explanations.end(context);
  body.dropMembers();
  body.letGo();
  worker.recorder?.write(context);
  if (context.meter !== undefined) worker.metrics?.giveMeter(context.meter);
  context.meter = undefined;
}
