/** The registry of orderings, one line each. Schema, documentation and the contract suite follow from it. */
import type { ValuesOf } from "../../policies/shared/options.ts";
import { fcfs } from "./fcfs.ts";
import type {
  Ordering,
  OrderingDefinition,
  OrderingDeps,
  SharedOptions,
} from "./shared/ordering.ts";
import { shortestPrefill } from "./shortest-prefill.ts";

/** In the order of the documentation; the first is the default. */
export const orderings = [fcfs, shortestPrefill] as const;

type Values<Definition> =
  Definition extends OrderingDefinition<infer Name, infer Shape>
    ? { readonly order: Name } & ValuesOf<Shape>
    : never;

/** An ordering with its own options, as the configuration has it. */
export type ChosenOrdering = Values<(typeof orderings)[number]>;
export type OrderName = ChosenOrdering["order"];

const byName = new Map<string, OrderingDefinition>(orderings.map((one) => [one.name, one]));

/** Whether the ordering chooses the engine of each prompt, and not the pool's policy. */
export function placesPrompts(order: OrderName): boolean {
  return byName.get(order)!.places;
}

export function createOrdering<Owner>(
  chosen: ChosenOrdering & SharedOptions,
  deps: OrderingDeps<Owner>,
): Ordering<Owner> {
  return byName.get(chosen.order)!.create(deps, { ...chosen });
}
