/** The listener for operators. */
import { z } from "zod";

export const adminSchema = z
  .strictObject({
    host: z
      .string()
      .min(1)
      .default("127.0.0.1")
      .describe("Whoever reaches it may read addresses of engines and ids of requests."),
    port: z.int().min(0).max(65_535).describe("0 = any free port, named in the log."),
    explainedRequestsMax: z
      .int()
      .min(0)
      .max(65_536)
      .default(1_024)
      .describe(
        "Requests of which each worker keeps why their engines were chosen, for `/admin/explain/{request-id}`. 0 = none.",
      ),
  })
  .describe("A listener for operators (`docs/admin.md`), apart from those of clients.");

export type AdminConfig = z.output<typeof adminSchema>;
