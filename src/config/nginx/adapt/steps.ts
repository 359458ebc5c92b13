/** Directives of the rewrite phase → steps. What the blocks of conditions set besides becomes routes of their own. */
import type { Block, Entry } from "../directives/block.ts";
import type { ConditionInput, StepInput } from "../directives/http/condition.ts";
import { conditionals, type PlainStep, steps } from "../directives/http/rewrite.ts";
import type { FlatLocation } from "./locations.ts";

/** Names of the routes that take over if a condition is true, by its block. */
export type Variants = ReadonlyMap<Block, string>;

/** Steps run where they stand and are not inherited. */
export function readSteps(block: Block, variants: Variants = new Map()): StepInput[] {
  return block.entries.flatMap((entry): StepInput[] => {
    if (isStep(entry)) return [entry.value];
    if (!isConditional(entry)) return [];
    const route = variants.get(entry.block!);
    const inner = entry.block!.entries.filter(isStep).map(({ value }) => value);
    return [{ if: { ...entry.value, steps: inner, ...(route !== undefined && { route }) } }];
  });
}

function isStep(entry: Entry): entry is Entry<PlainStep> {
  return steps.some((step) => step === entry.directive);
}

function isConditional(entry: Entry): entry is Entry<ConditionInput> {
  return conditionals.some((one) => one === entry.directive);
}

/**
 * Names for the variants of all locations. The last condition that is true decides about settings, also by setting
 * none: so if one block of a location sets something, each is a variant.
 */
export function nameVariants(locations: readonly FlatLocation[]): Variants {
  const names = new Map<Block, string>();
  for (const { block } of locations) {
    const blocks = block.entries.filter(isConditional).map((entry) => entry.block!);
    const setsAny = blocks.some((inner) => inner.entries.some((entry) => !isStep(entry)));
    if (setsAny) for (const inner of blocks) names.set(inner, `@if ${names.size + 1}`);
  }
  return names;
}
