/** What happens to a request before it is forwarded: nginx's rewrite phase. */
import { z } from "zod";
import { withDetails } from "../describe.ts";
import { text } from "../values.ts";

const setStep = z.strictObject({
  set: z
    .strictObject({
      name: text.describe("Name of the variable, without `$`."),
      value: z.string().describe("Template."),
    })
    .describe("Sets a variable."),
});

const rewriteStep = z.strictObject({
  rewrite: z
    .strictObject({
      pattern: text.describe("Regular expression, matched against the normalized path."),
      ignoreCase: z.boolean().default(false).describe("Letter case does not count."),
      replacement: z
        .string()
        .describe("Template; may use `$1`… and named captures of the pattern."),
      flag: z
        .enum(["none", "last", "break", "redirect", "permanent"])
        .default("none")
        .describe("What follows, as in nginx."),
    })
    .describe("Changes the path, or redirects."),
});

const returnStep = z.strictObject({
  return: z
    .strictObject({
      status: z.int().min(200).max(599),
      text: z.string().optional().describe("Template: the body, or the target of a redirect."),
    })
    .describe("Responds without an engine."),
});

const breakStep = z.strictObject({ break: z.literal(true).describe("Ends the steps.") });

export const conditionSchema = z
  .strictObject({
    value: z.string().describe("Template."),
    equals: z.string().optional().describe("Template: true if the value is the same text."),
    matches: text.optional().describe("Regular expression: true if the value matches."),
    ignoreCase: z.boolean().default(false).describe("Letter case does not count for `matches`."),
    file: z
      .enum(["file", "directory", "any", "executable"])
      .optional()
      .describe("True if the value is the path of one."),
    not: z.boolean().default(false).describe("The opposite."),
    steps: z
      .array(z.union([setStep, rewriteStep, returnStep, breakStep]))
      .max(100)
      .default([])
      .describe("What happens if it is true, before the steps that follow."),
    route: text
      .optional()
      .describe(
        withDetails(
          "The `@name` of a route that takes the request over if it is true.",
          "It does so once all steps have run; of several conditions that are true, the last one decides.",
        ),
      ),
  })
  .describe("Without `equals`, `matches` and `file`: true unless the value is empty or `0`.");

const conditionalStep = z.strictObject({ if: conditionSchema });

export const stepSchema = z
  .union([setStep, rewriteStep, returnStep, breakStep, conditionalStep])
  .describe(
    "One step before a request is forwarded. Steps run in order, as in nginx's rewrite phase.",
  );
