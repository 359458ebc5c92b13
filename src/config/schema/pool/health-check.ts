/** Active health checks: the proxy asks engines whether they are well. */
import { z } from "zod";
import { withDetails } from "../describe.ts";

const threshold = z.int().min(1).max(1_000);

export const healthCheckSchema = z
  .strictObject({
    path: z
      .string()
      .regex(/^\/\S*$/, "a path, such as /health")
      .default("/health")
      .describe(
        withDetails(
          "Path to ask. 2xx and 3xx are healthy.",
          "404, 405 and 501 are as well: such an engine has no health check, but responds.",
        ),
      ),
    intervalMs: z
      .int()
      .min(50)
      .max(600_000)
      .default(5_000)
      .describe("How often each engine is asked."),
    timeoutMs: z.int().min(1).max(600_000).default(2_000).describe("For one response."),
    unhealthyThreshold: threshold
      .default(3)
      .describe("Failed checks in a row after which the engine gets no requests."),
    healthyThreshold: threshold
      .default(2)
      .describe("Successful checks in a row after which it gets requests again."),
    inference: z
      .boolean()
      .default(false)
      .describe(
        withDetails(
          "Have the engine generate one token (`/v1/completions`) instead of asking `path`.",
          "For engines that can serve a request alone; for SGLang set `path: /health_generate` instead.",
        ),
      ),
  })
  .describe("Ask engines whether they are well (`docs/ejection.md`). Default: they are not asked.");

export type HealthCheckConfig = z.output<typeof healthCheckSchema>;
