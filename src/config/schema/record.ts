/** Live traffic as a trace, for `global-proxy simulate`. */
import { z } from "zod";

const text = z.string().min(1);

export const recordSchema = z
  .strictObject({
    file: text.describe("A path; each start adds to what is there."),
    salt: text
      .optional()
      .describe(
        "Secret by which blocks of prompts are named. The same salt gives equal blocks equal names after a restart, or at another proxy. Default: a new one with each start.",
      ),
  })
  .describe(
    "Answered prompts as a trace (`docs/lab.md`): sizes, times, salted blocks; never text.",
  );

export type RecordConfig = z.output<typeof recordSchema>;
