/** A variable whose value depends on another, as nginx's `map`. */
import { z } from "zod";
import { text } from "./values.ts";

export const mapSchema = z
  .strictObject({
    source: z.string().describe("Template of the value to look up."),
    variable: text.describe("Name of the variable that the map defines, without `$`."),
    default: z.string().default("").describe("Template of the value if no entry matches."),
    entries: z
      .array(
        z.strictObject({
          match: z
            .string()
            .describe("A literal in any letter case, or a regular expression after `~` or `~*`."),
          value: z.string().describe("Template; may use the captures."),
        }),
      )
      .describe("Values to compare with: literals first, then regular expressions in their order."),
  })
  .describe("A variable whose value depends on another, as nginx's `map`.");
