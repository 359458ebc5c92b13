/** A variable whose value depends on another, as nginx's `map`, `geo` and `split_clients`. */
import { z } from "zod";
import { withDetails } from "./describe.ts";
import { text } from "./values.ts";

export const mapSchema = z
  .strictObject({
    source: z.string().describe("Template of the value to look up."),
    variable: text.describe("Name of the variable that the map defines, without `$`."),
    by: z
      .enum(["text", "host", "address", "share"])
      .default("text")
      .describe(
        withDetails(
          "What the entries are matched with.",
          "`host`: literals may be `*.example`, `.example` or `www.*`, as the names of servers.",
          "`address`: networks such as `10.0.0.0/8`, or ranges such as `10.0.0.1-10.0.0.9`; the smallest one counts.",
          "`share`: `0.5%` of all values, by their hash, and `*` for the rest.",
        ),
      ),
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
    trustedProxies: z
      .array(text)
      .max(1000)
      .default([])
      .describe(
        "Networks of proxies whose `X-Forwarded-For` counts in place of their own address, if `by` is `address`.",
      ),
    throughSeveral: z
      .boolean()
      .default(false)
      .describe(
        "The last address in `X-Forwarded-For` that is not trusted, not just the last one.",
      ),
    cached: z
      .boolean()
      .default(false)
      .describe(
        withDetails(
          "Keep the first value for the rest of the request, even if `source` changes.",
          "On for maps of nginx.conf that are not `volatile`.",
        ),
      ),
  })
  .describe(
    "A variable whose value depends on another, as nginx's `map`, `geo` and `split_clients`.",
  );
