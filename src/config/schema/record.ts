/** Live traffic as a trace, for `global-proxy simulate`. */
import { z } from "zod";
import { withDetails } from "./describe.ts";
import { text } from "./values.ts";

export const recordSchema = z
  .strictObject({
    file: text.describe("A path. Each start appends to the file."),
    salt: text
      .optional()
      .describe(
        withDetails(
          "Secret for the hashes of prompt blocks. Default: a new one at each start.",
          "With the same salt, equal blocks have equal names after a restart and at other proxies.",
        ),
      ),
  })
  .describe(
    "Record served prompts as a trace (`docs/lab.md`): sizes, times and salted hashes, never text.",
  );

export type RecordConfig = z.output<typeof recordSchema>;
