/** `GET /v1/models` of a route of several models, from what its engines have listed: none is asked for it. */
import type { ModelCard } from "../../../pool/model-cards.ts";
import type { ServedModels } from "../../../pool/served-models.ts";
import type { RequestContext } from "../../context/request-context.ts";
import type { ModelRoute, ModelTable } from "./model-table.ts";

/** As vLLM words it. */
interface ListedModel extends ModelCard {
  readonly object: "model";
  /** In seconds since 1970. */
  readonly created: number;
}

export class ModelCatalog {
  readonly #table: ModelTable<ModelRoute>;
  readonly #createdSeconds: number;
  #models: ReadonlyMap<string, ListedModel> = new Map();
  #list: Buffer = Buffer.alloc(0);
  /** Of what both were made. */
  #lists: readonly (ServedModels | undefined)[] = [];

  constructor(table: ModelTable<ModelRoute>, createdMs: number) {
    this.#table = table;
    this.#createdSeconds = Math.floor(createdMs / 1000);
  }

  /** All that the request's tenant may use. */
  list(context: RequestContext): Buffer {
    this.#refresh(context);
    const names = this.names(context);
    if (names.length === this.#models.size) return this.#list;
    return listOf(names.map((name) => this.#models.get(name)!));
  }

  /** Undefined = there is no such model, or it is not for the request's tenant. */
  model(context: RequestContext, name: string): Buffer | undefined {
    this.#refresh(context);
    const model = this.#models.get(name);
    const isShown = model !== undefined && mayUse(context, name);
    return isShown ? Buffer.from(JSON.stringify(model)) : undefined;
  }

  /** Of those that the request's tenant may use. */
  names(context: RequestContext): readonly string[] {
    this.#refresh(context);
    return [...this.#models.keys()].filter((name) => mayUse(context, name));
  }

  #refresh(context: RequestContext): void {
    const table = this.#table;
    const lists = table.routes.map(({ targetPool }) => targetPool?.models);
    const isSame = lists.every((list, index) => list === this.#lists[index]);
    if (isSame && this.#lists.length > 0) return;
    this.#lists = lists;
    const models = new Map<string, ListedModel>();
    const add = (name: string, model: string) => {
      const [target] = table.groupOf(context, model) ?? [];
      if (target === undefined) return;
      const engineModel = target.engineModel?.name ?? model;
      const card = target.route.targetPool?.models.all.get(engineModel)?.card;
      models.set(name, this.#named(name, card ?? { id: engineModel }));
    };
    const listed = lists.flatMap((list) => [...(list?.all.keys() ?? [])]);
    for (const name of [...table.exact.keys(), ...listed]) add(name, name);
    for (const [name, { name: model }] of table.aliases) add(name, model);
    this.#models = models;
    this.#list = listOf([...models.values()]);
  }

  /** Whatever name it has here, its `root` is the model itself. */
  #named(id: string, card: ModelCard): ListedModel {
    const first = { id, object: "model", created: this.#createdSeconds } as const;
    const usual = { owned_by: "global-proxy", root: card.id, parent: null, permission: [] };
    return { ...first, ...usual, ...card, ...first };
  }
}

function mayUse({ tenant }: RequestContext, name: string): boolean {
  return tenant?.mayUse(name) ?? true;
}

function listOf(data: readonly ListedModel[]): Buffer {
  return Buffer.from(JSON.stringify({ object: "list", data }));
}
