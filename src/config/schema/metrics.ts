/** What is counted for Prometheus, and where it is read. */
import { z } from "zod";
import { withDetails } from "./describe.ts";
import { operatorHost, operatorHosts, operatorPort, operatorToken } from "./operators.ts";
import { operatorTlsSchema } from "./tls.ts";

export const metricsSchema = z
  .strictObject({
    enabled: z
      .boolean()
      .default(true)
      .describe(
        withDetails(
          "Whether workers count metrics of requests.",
          "They do so only if there is a listener where they can be read.",
          "Without them the state of engines is still there.",
        ),
      ),
    host: operatorHost("Whoever may read there learns engines' addresses and names of models."),
    port: operatorPort
      .optional()
      .describe(
        withDetails(
          "A listener of their own, which has `/metrics` alone. 0 = any free port; the log names it.",
          "The admin listener has them in any case.",
        ),
      ),
    token: operatorToken("Without one the listener is only on loopback."),
    hosts: operatorHosts,
    tls: operatorTlsSchema,
    modelsMax: z
      .int()
      .min(0)
      .max(1_000)
      .default(32)
      .describe(
        withDetails(
          "Names of models that each worker uses as labels; further ones are `other`.",
          "The first that engines have served are.",
        ),
      ),
    tenantsMax: z
      .int()
      .min(0)
      .max(1_000)
      .default(32)
      .describe(
        withDetails(
          "Names of tenants that each worker uses as labels; further ones are `other`.",
          "The first that have sent requests are. Nothing is counted by tenant without `auth`.",
        ),
      ),
    vllmNames: z
      .boolean()
      .default(false)
      .describe(
        withDetails(
          "Latencies and tokens also under the names of vLLM, such as `vllm:time_to_first_token_seconds`.",
          "For dashboards of vLLM and of the original. Where Prometheus reads engines as well, it would have both.",
        ),
      ),
  })
  .describe("Metrics for Prometheus (`docs/metrics.md`).");

export type MetricsConfig = z.output<typeof metricsSchema>;
