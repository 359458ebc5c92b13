/** How a request ends whose key or whose tenant's limits do not let it through. */
import { outcome } from "./outcome.ts";

export const tenantOutcomes = {
  unauthorized: outcome(
    "GP_UNAUTHORIZED",
    401,
    "client",
    "no",
    "The API key is missing or not known; send it as a Bearer token in Authorization, or as x-api-key.",
  ),
  unknownTenant: outcome(
    "GP_UNKNOWN_TENANT",
    403,
    "client",
    "no",
    "The tenant of this request is not known here.",
  ),
  modelForbidden: outcome(
    "GP_MODEL_FORBIDDEN",
    403,
    "client",
    "no",
    "This tenant may not use the model; a request has to name one that it may.",
  ),
  unknownResponse: outcome(
    "GP_UNKNOWN_RESPONSE",
    404,
    "client",
    "no",
    "No stored response has this id.",
  ),
  sharedStorage: outcome(
    "GP_SHARED_STORAGE",
    403,
    "client",
    "no",
    "What this path stores is not kept apart by tenant, so it is closed here.",
  ),
  requestLimit: outcome(
    "GP_REQUEST_LIMIT",
    429,
    "client",
    "safe",
    "The tenant has sent as many requests as it may in a minute; try again later.",
  ),
  tokenLimit: outcome(
    "GP_TOKEN_LIMIT",
    429,
    "client",
    "safe",
    "The tenant has used as many tokens as it may in a minute; try again later.",
  ),
  inFlightLimit: outcome(
    "GP_IN_FLIGHT_LIMIT",
    429,
    "client",
    "safe",
    "The tenant has as many requests in flight as it may; try again when one has ended.",
  ),
} as const;
