/** Which engines of a pool serve which models and adapters, as their lists say. */
import type { Engine } from "./engine.ts";
import type { ModelCard } from "./model-cards.ts";

/** By the engine's index in its pool: 1 = it lists the model, 0 = it does not. */
export type ModelHolders = ArrayLike<number>;

interface Served {
  /** As the first engine lists it. */
  readonly card: ModelCard;
  readonly holders: Uint8Array;
}

export class ServedModels {
  /** By name. */
  readonly all: ReadonlyMap<string, Served>;
  /** Whether any engine has said what it serves. */
  readonly isKnown: boolean;

  constructor(engines: readonly Engine[]) {
    const all = new Map<string, Served>();
    for (const { models = [], index } of engines) {
      for (const card of models) {
        const served = all.get(card.id) ?? { card, holders: new Uint8Array(engines.length) };
        served.holders[index] = 1;
        all.set(card.id, served);
      }
    }
    this.all = all;
    this.isKnown = engines.some(({ models }) => models !== undefined);
  }

  /** The only engines that can serve it. Undefined = none lists it: any may know it all the same. */
  holders(model: string): ModelHolders | undefined {
    return this.all.get(model)?.holders;
  }
}
