/** The options that the contract suite tries a policy with, from its definition. */
import { isRequired, type PolicyDefinition } from "../../src/policies/shared/define-policy.ts";
import type { Option } from "../../src/policies/shared/options.ts";

type Options = Readonly<Record<string, unknown>>;

/** All combinations of choices, each alternative of each other option, and the policy's own combinations. */
export function variantsOf({ options, variants = [] }: PolicyDefinition): Options[] {
  const entries = Object.entries(options);
  const base = Object.fromEntries(
    entries
      .filter(([, option]) => isRequired(option))
      .map(([name, option]) => [name, sampleOf(option)]),
  );
  const choices = entries.filter(([, { kind }]) => kind === "choice");
  const others = entries.filter(([, { kind }]) => kind !== "choice");
  let chosen: Options[] = [base];
  for (const [name, { words = [] }] of choices) {
    chosen = chosen.flatMap((one) => words.map((word) => ({ ...one, [name]: word })));
  }
  const alternatives = others.flatMap(([name, option]) =>
    alternativesOf(option).map((value) => ({ [name]: value })),
  );
  const all = [
    ...chosen,
    ...alternatives.map((alternative) => ({ ...chosen[0], ...alternative })),
    ...variants.map((variant) => ({ ...base, ...variant })),
  ];
  return [...new Map(all.map((one) => [JSON.stringify(one), one])).values()];
}

/** For an option that has no default. */
function sampleOf({ kind, min = 1, words = ["a"], list }: Option): unknown {
  const one = kind === "template" ? "$uri" : kind === "choice" ? words[0] : min;
  return list === undefined ? one : [one];
}

/** Values other than the default: the least, and the default doubled where that is allowed. */
function alternativesOf({ kind, default: byDefault, min, max, list }: Option): unknown[] {
  if (kind === "flag") return [!byDefault];
  if ((kind !== "integer" && kind !== "number") || list !== undefined) return [];
  const more = typeof byDefault === "number" ? 2 * byDefault || 1 : undefined;
  const isAllowed = (value: number | undefined) =>
    value !== undefined && value !== byDefault && value <= (max ?? Number.MAX_SAFE_INTEGER);
  return [min, more].filter(isAllowed);
}
