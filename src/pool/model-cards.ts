/**
 * What engines say of the models and LoRA adapters that they serve, in their lists (`/v1/models`). Kept as one
 * attribute, which the main thread discovers and the workers read.
 * Source: vllm `entrypoints/openai/engine/protocol.py` (`ModelCard`).
 */
import { listedModelsMax, modelCardCharsMax, modelNameCharsMax } from "../limits.ts";

/** Other members are as the engine gave them. An adapter has the name of its model as `parent`. */
export interface ModelCard {
  readonly id: string;
  readonly parent?: string | null;
  readonly created?: unknown;
  readonly permission?: unknown;
}

export const modelsAttribute = "models";

/**
 * The list of an engine as that attribute: without what is another with each response, so that it changes only when
 * the models do. Undefined = it is no list of models.
 */
export function modelsIn(response: Buffer): string | undefined {
  const data = listIn(response.toString());
  if (data === undefined) return undefined;
  const cards = data.filter(isCard).slice(0, listedModelsMax).map(withoutTimes);
  return JSON.stringify(cards);
}

/** Of the attribute's value. */
export function cardsIn(attribute: string): readonly ModelCard[] {
  return JSON.parse(attribute) as ModelCard[];
}

function listIn(text: string): readonly unknown[] | undefined {
  try {
    const { data } = JSON.parse(text) as { data?: unknown };
    return Array.isArray(data) ? data : undefined;
  } catch {
    return undefined;
  }
}

function isCard(card: unknown): card is ModelCard {
  const { id } = (card ?? {}) as { id?: unknown };
  if (typeof id !== "string" || id === "" || id.length > modelNameCharsMax) return false;
  return JSON.stringify(card).length <= modelCardCharsMax;
}

/** `created` is the time of the response, and permissions have an id of their own each time. */
function withoutTimes(card: ModelCard): ModelCard {
  return { ...card, created: undefined, permission: undefined };
}
