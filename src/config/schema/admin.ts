/** The listener for operators. */
import { z } from "zod";
import { withDetails } from "./describe.ts";
import { operatorHost, operatorHosts, operatorPort, operatorToken } from "./operators.ts";
import { operatorTlsSchema } from "./tls.ts";

export const adminSchema = z
  .strictObject({
    host: operatorHost("Whoever may read there learns engines' addresses and requests' ids."),
    port: operatorPort,
    token: operatorToken("Without one the listener only reads, and only on loopback."),
    hosts: operatorHosts,
    tls: operatorTlsSchema,
    explainedRequestsMax: z
      .int()
      .min(0)
      .max(65_536)
      .default(1_024)
      .describe(
        withDetails(
          "Requests that each worker remembers for `/admin/explain/{request-id}`. 0 = none.",
          "For each of them it remembers why its engines were chosen.",
        ),
      ),
  })
  .describe("A listener for operators, separate from those for clients (`docs/admin.md`).");

export type AdminConfig = z.output<typeof adminSchema>;
