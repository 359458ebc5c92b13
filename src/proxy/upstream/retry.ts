/** Whether a route allows another engine after a failure, by nginx's conditions. */
import type { RetryCondition, RetryConfig } from "../../config/schema/schema.ts";
import type { LegFailure } from "../context/legs.ts";

const failureConditions: Readonly<Record<LegFailure, RetryCondition>> = {
  error: "error",
  timeout: "timeout",
  invalid: "invalid_header",
};

/**
 * @param failure what befell the leg, or the status of its response
 * @param elapsedMs since the request began
 */
export function allowsRetry(
  { on, timeoutMs }: RetryConfig,
  failure: LegFailure | number,
  elapsedMs: number,
): boolean {
  const condition =
    typeof failure === "number"
      ? (`http_${failure}` as RetryCondition)
      : failureConditions[failure];
  if (on.includes("off") || !on.includes(condition)) return false;
  return timeoutMs === 0 || elapsedMs <= timeoutMs;
}
