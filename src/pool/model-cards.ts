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
  return data && JSON.stringify(usedOf(data).map(withoutTimes));
}

/** How many entries of the list are not used, and of how many. */
export function ignoredModels(response: Buffer): {
  readonly ignored: number;
  readonly all: number;
} {
  const data = listIn(response.toString()) ?? [];
  return { ignored: data.length - usedOf(data).length, all: data.length };
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

function usedOf(data: readonly unknown[]): readonly ModelCard[] {
  return data.filter(isCard).slice(0, listedModelsMax);
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
