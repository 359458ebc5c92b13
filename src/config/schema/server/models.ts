/** The models of a route: where requests go by the model that they name. */
import { z } from "zod";
import { autoModels } from "../../values/auto-models.ts";
import { withDetails } from "../describe.ts";
import { dialectNames } from "../dialects.ts";
import { text } from "../values.ts";

const poolPlace = (describes: string) =>
  z.strictObject({ pool: text.describe("Name of a pool.") }).describe(describes);

export const modelSchema = z
  .strictObject({
    model: text
      .default(autoModels)
      .describe(
        withDetails(
          "A name, `name*` for all that begin so, or a regular expression after `~`.",
          "`auto`: all models that the engines of its target list.",
          "Exact names go before what engines list, that before the longest prefix, that before expressions in order.",
        ),
      ),
    engineModel: text.optional().describe("The name by which its engines know the model."),
    weight: z
      .int()
      .min(0)
      .max(1_000_000)
      .default(1)
      .describe("Share of the requests, if several entries take one model. 0 = none."),
    target: poolPlace("Where its requests go; with a prefill, their decode.").optional(),
    prefill: poolPlace("Where its prefills go.").optional(),
    encode: poolPlace("Where its images, audio and video are encoded.").optional(),
    dialect: dialectNames.optional().describe("Its engines' KV-transfer protocol."),
  })
  .describe(
    withDetails(
      "A model, and its pools. What is left out is the route's;",
      "an entry with a `target` of its own takes no `prefill` and no `encode` of the route.",
    ),
  );

export const modelKeys = {
  models: z
    .union([z.literal(autoModels), z.array(modelSchema).min(1).max(1000)])
    .optional()
    .describe(
      withDetails(
        "Several models behind this route (`docs/models.md`): each request goes by the model that it names.",
        "`auto` = those that the engines list. Without it the route has one model, and does not look at names.",
      ),
    ),
  modelAliases: z
    .record(text, text)
    .default({})
    .describe("Other names of models: name → model. Engines are told the model."),
  modelSplitKey: z
    .string()
    .default("")
    .describe(
      withDetails(
        "Template, such as `$http_x_session_id`: requests of one value go to one of several entries of a model.",
        "Without a value each request is decided by chance.",
      ),
    ),
};
