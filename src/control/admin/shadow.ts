/** The form of what shadow policies would have done. */
import { z } from "zod";
import { count, milliseconds, named } from "./schemas.ts";

const both = <Schema extends z.ZodType>(schema: Schema) =>
  z.object({ real: schema, shadow: schema });

export const shadowSchema = named(
  "Shadow",
  z
    .object({
      pool: z.string(),
      policy: z.string().describe("That decides."),
      shadow: z.string().describe("That follows."),
      picks: count,
      differed: count.describe("Picks that it would have sent to another engine."),
      promptTokens: z.number().describe("Of all prompts, estimated from their bytes."),
      cachedTokens: both(z.number()).describe("Of these, what the engine had been sent before."),
      prefillMs: both(milliseconds).describe("Predicted, without any wait."),
      engines: z.array(both(z.number()).extend({ engine: z.string() })),
      fault: z.string().optional().describe("Why it was switched off. Absent = it was not."),
    })
    .describe("Sums over all workers since the configuration was applied."),
);
