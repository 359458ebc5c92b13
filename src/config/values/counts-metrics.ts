/** Whether workers count metrics of requests. */
import type { Config } from "../schema/schema.ts";

/** Nothing is counted that nobody can read. */
export function countsMetrics({ admin, metrics }: Pick<Config, "admin" | "metrics">): boolean {
  return metrics.enabled && (admin !== undefined || metrics.port !== undefined);
}
