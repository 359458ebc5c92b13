/** Asks engines for the models and adapters that they serve, where a route has several. */
import type { EngineProbe } from "../../dialects/dialect.ts";
import { modelsAttribute, modelsIn } from "../../pool/model-cards.ts";

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
};
