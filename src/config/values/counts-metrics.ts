/** Whether workers count metrics of requests. */
import type { Config } from "../schema/schema.ts";

const pages: ReadonlySet<string | undefined> = new Set(["metrics", "vllm_metrics", "omni_metrics"]);

/** Nothing is counted that nobody can read. */
export function countsMetrics({
  admin,
  metrics,
  servers,
}: Pick<Config, "admin" | "metrics" | "servers">): boolean {
  const isListed = () => servers.some(({ routes }) => routes.some(({ page }) => pages.has(page)));
  return metrics.enabled && (admin !== undefined || metrics.port !== undefined || isListed());
}
