/** What happens to a request before it is forwarded: nginx's rewrite phase. */
import { z } from "zod";
import { text } from "../values.ts";

export const stepSchema = z
  .union([
    z.strictObject({
      set: z
        .strictObject({
          name: text.describe("Name of the variable, without `$`."),
          value: z.string().describe("Template."),
        })
        .describe("Sets a variable."),
    }),
    z.strictObject({
      rewrite: z
        .strictObject({
          pattern: text.describe("Regular expression, matched against the normalized path."),
          replacement: z
            .string()
            .describe("Template; may use `$1`… and named captures of the pattern."),
          flag: z
            .enum(["none", "last", "break", "redirect", "permanent"])
            .default("none")
            .describe("What follows, as in nginx."),
        })
        .describe("Changes the path, or redirects."),
    }),
    z.strictObject({
      return: z
        .strictObject({
          status: z.int().min(200).max(599),
          text: z.string().optional().describe("Template: the body, or the target of a redirect."),
        })
        .describe("Responds without an engine."),
    }),
    z.strictObject({ break: z.literal(true).describe("Ends the steps.") }),
  ])
  .describe(
    "One step before a request is forwarded. Steps run in order, as in nginx's rewrite phase.",
  );
