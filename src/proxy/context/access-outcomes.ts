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
} as const;
