/** How a request ends that has waited for nothing. */
import { outcomes } from "../context/outcomes.ts";

export const waitOutcomes = {
  "queue-full": outcomes.queueFull,
  timeout: outcomes.queueTimeout,
  overloaded: outcomes.overloaded,
} as const;
