/** Asks engines for the models and adapters that they serve, where a route has several. */
import type { EngineProbe } from "../../dialects/dialect.ts";
import { listedModelsMax, modelCardCharsMax, modelNameCharsMax } from "../../limits.ts";
import { ignoredModels, modelsAttribute, modelsIn } from "../../pool/model-cards.ts";

export const modelsProbe: EngineProbe = {
  name: "models",
  legs: ["prefill", "decode"],
  path: "/v1/models",
  isOptional: true,
  // Its requests are for a model that exists, and has no engine just now.
  outlivesEngine: true,
  discovered: (response) => {
    const models = modelsIn(response);
    return models === undefined ? {} : { [modelsAttribute]: models };
  },
  ignored: (response) => {
    const { ignored, all } = ignoredModels(response);
    if (ignored === 0) return undefined;
    const characters = `names of up to ${modelNameCharsMax} and entries of ${modelCardCharsMax} characters`;
    return `${ignored} of ${all} models are not used: at most ${listedModelsMax} are, with ${characters}`;
  },
};
