/** Outcomes of requests that a parser rejects, and of what the configuration replies. */
import type { Outcome } from "./outcome.ts";

/** From the parser's own status and words. */
export function refused(status: number, code: string, message: string): Outcome {
  return { code, status, fault: "client", retry: "no", message };
}
