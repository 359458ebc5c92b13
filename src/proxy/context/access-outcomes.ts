/** How a request ends that its route does not let in. */
import { outcome } from "./outcome.ts";

export const accessOutcomes = {
  accessDenied: outcome(
    "GP_ACCESS_DENIED",
    403,
    "client",
    "no",
    "This address may not use this path.",
  ),
  rateLimited: outcome(
    "GP_RATE_LIMITED",
    429,
    "client",
    "safe",
    "Requests come faster than this path takes them from one client; try again later.",
  ),
  tooManyConnections: outcome(
    "GP_TOO_MANY_CONNECTIONS",
    429,
    "client",
    "safe",
    "As many requests of this client are under way as this path takes; try again when one has ended.",
  ),
} as const;
