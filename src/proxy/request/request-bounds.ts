/** What bounds the reading of a request and the sending of its response: its route's settings, or their defaults. */
import type { RouteConfig } from "../../config/schema/schema.ts";

export type RequestBounds = Pick<
  RouteConfig,
  "bodyBytesMax" | "bodyTimeoutMs" | "clientSendTimeoutMs"
>;

const usual: RequestBounds = {
  bodyBytesMax: 1_048_576,
  bodyTimeoutMs: 60_000,
  clientSendTimeoutMs: 60_000,
};

/** @param route undefined = the request reaches none */
export function boundsOf(route: RouteConfig | undefined): RequestBounds {
  if (route === undefined) return usual;
  return route.bodyBytesMax === 0 ? { ...route, bodyBytesMax: Number.POSITIVE_INFINITY } : route;
}
