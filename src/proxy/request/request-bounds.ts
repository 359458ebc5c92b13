/** What bounds the reading of a request and the sending of its response: its route's settings, or their defaults. */
import type { RouteConfig } from "../../config/schema/schema.ts";
import { type Outcome, outcomes } from "../context/outcomes.ts";
import type { RequestContext } from "../context/request-context.ts";
import type { Routed } from "../routing/server.ts";

export type RequestBounds = Pick<
  RouteConfig,
  "bodyBytesMax" | "bodyTimeoutMs" | "clientSendTimeoutMs"
> & {
  /** Nothing more of it is read; undefined = its body is. */
  readonly refusal?: Outcome | undefined;
};

const usual: RequestBounds = {
  bodyBytesMax: 1_048_576,
  bodyTimeoutMs: 60_000,
  clientSendTimeoutMs: 60_000,
};

export function boundsOf({ route, outcome }: Routed): RequestBounds {
  const refusal = outcome?.endsConnection ? outcome : undefined;
  const bounds = route?.config ?? usual;
  if (bounds.bodyBytesMax !== 0 && refusal === undefined) return bounds;
  const { bodyBytesMax, bodyTimeoutMs, clientSendTimeoutMs } = bounds;
  const bytesMax = bodyBytesMax || Number.POSITIVE_INFINITY;
  return { bodyBytesMax: bytesMax, bodyTimeoutMs, clientSendTimeoutMs, refusal };
}

/** Why a body is not to be read; undefined = it is. @param arrivedBytes of it, together with the head */
export function bodyRefusal(
  { head: { contentLength, chunked }, refusal: notIn, tenant }: RequestContext,
  { bodyBytesMax, refusal }: RequestBounds,
  arrivedBytes: number,
): Outcome | undefined {
  if (refusal !== undefined) return refusal;
  if (contentLength > bodyBytesMax) return outcomes.bodyTooLarge;
  return chunked || contentLength > arrivedBytes ? (notIn ?? tenant?.refusal) : undefined;
}
