/** `/debug/fault` and `/debug/leases`: sets faults and ends leases at run time. */

import { checkFault } from "../faults/fault.ts";
import { badRequest } from "../http/request-error.ts";
import type { IncomingRequest, RouteContext } from "./handler.ts";

export function listFaults({ core }: RouteContext, { reply }: IncomingRequest): void {
  reply.send(200, JSON.stringify(core.faults.list(core.options.clock.now())));
}

export function setFault(context: RouteContext, request: IncomingRequest): void {
  const { faults, options } = context.core;
  try {
    const input: unknown = JSON.parse(request.body.toString());
    faults.set(checkFault(input), options.clock.now());
  } catch (error) {
    throw badRequest((error as Error).message);
  }
  context.faultsChanged();
  listFaults(context, request);
}

export function clearFaults(context: RouteContext, request: IncomingRequest): void {
  context.core.faults.clear();
  context.faultsChanged();
  listFaults(context, request);
}

/** Ends all KV leases, so that no test depends on how long a lease lasts on a slow machine. */
export function endLeases({ core }: RouteContext, { reply }: IncomingRequest): void {
  core.kvStore.endLeases();
  reply.send(200, JSON.stringify(core.state()));
}
