/** Who may use a route. */
import { z } from "zod";
import { withDetails } from "../describe.ts";
import { text } from "../values.ts";

const peers = text.describe("An address, a network such as `10.0.0.0/8`, `unix`, or `all`.");

const ruleSchema = z.union([z.strictObject({ allow: peers }), z.strictObject({ deny: peers })]);

export const accessSchema = z
  .strictObject({
    rules: z
      .array(ruleSchema)
      .max(1000)
      .default([])
      .describe("Addresses of clients. The first rule that matches decides; without one, all may."),
    satisfy: z
      .enum(["all", "any"])
      .default("all")
      .describe("Whether a request has to pass each of these checks, or one of them."),
  })
  .describe(
    withDetails(
      "Who may use this route; others get 403. Checked before the body is read.",
      "What `steps` return is for all, and so are pages that the route's own legs ask for.",
    ),
  );

export const accessKeys = { access: accessSchema.optional() };
