/** Directives that choose a policy and set its options, made from the definitions of policies. */
import { policies, policyNamed } from "../../../../policies/registry.ts";
import { type PolicyDefinition, snakeCase } from "../../../../policies/shared/define-policy.ts";
import type { Option } from "../../../../policies/shared/options.ts";
import { type PolicyInput, type PolicyName, policyOptions } from "../../../schema/pool/policies.ts";
import { many, none, reading, size } from "../../reading/arguments.ts";
import { type Directive, honoured, ignored } from "../../reading/directive.ts";
import type { Scope } from "../../reading/scope.ts";
import { parseNumber } from "../../reading/units.ts";
import type { Word } from "../../syntax/lexer.ts";
import { readPolicyOptions } from "./policy-options.ts";

type Read = (words: readonly Word[], scope: Scope) => PolicyInput | undefined;

/** The directive of each policy, except those that nginx itself defines. */
export function policyDirectives(
  others: ReadonlySet<string>,
): readonly Directive<PolicyInput | undefined>[] {
  return [...policyOptions.keys(), "custom"].flatMap((name) =>
    others.has(name) ? [] : [directiveOf(name as PolicyName)],
  );
}

function directiveOf(name: PolicyName): Directive<PolicyInput | undefined> {
  const { form, first, list } = policyNamed(name)?.nginx ?? {};
  const directive = (min: number, read: Read, texts: { byDefault?: string; note?: string }) =>
    honoured(name, ["upstream"], reading(min, many, read), "`policy`", { repeats: true, ...texts });
  if (form === "bare") {
    const args = { ...none, read: (): PolicyInput => ({ name }) as PolicyInput };
    return honoured(name, ["upstream"], args, "`policy`", { repeats: true });
  }
  if (form === "on_off") return directive(1, switched(name), { byDefault: "`off`" });
  if (first !== undefined) {
    const { words = [] } = policyNamed(name)!.options[first]!;
    const values = words.map((word) => `\`${word}\``).join(" or ");
    return directive(1, firstWord(name, first, words), { note: `The first word is ${values}.` });
  }
  if (list !== undefined) {
    const { default: byDefault, unit } = policyNamed(name)!.options[list]!;
    const note = `The words are \`${list}\` in ${unit}; by default ${byDefault}.`;
    return directive(0, listed(name, list), { note });
  }
  return directive(0, (words, scope) => readPolicyOptions(name, words, scope), noteOn(name));
}

/** `name on|off option=value…`; off = the upstream has no policy by this directive. */
function switched(name: PolicyName): Read {
  return ([word, ...rest], scope) => {
    if (word!.text !== "on" && word!.text !== "off") {
      scope.fail(`invalid value "${word!.text}" in "${name}" directive`, word, "on or off");
    }
    const policy = readPolicyOptions(name, rest, scope);
    return word!.text === "on" ? policy : undefined;
  };
}

function firstWord(name: PolicyName, option: string, known: readonly string[]): Read {
  return ([word, ...rest], scope) => {
    if (!known.includes(word!.text)) {
      scope.fail(`invalid value "${word!.text}" in "${name}" directive`, word);
    }
    return { ...readPolicyOptions(name, rest, scope), [option]: word!.text } as PolicyInput;
  };
}

function listed(name: PolicyName, option: string): Read {
  return (words, scope) => {
    const values = words.map((word) => positive(word, scope));
    return { name, ...(words.length > 0 && { [option]: values }) } as PolicyInput;
  };
}

/** The documentation of `name option=value…`. */
function noteOn(name: PolicyName): { note?: string } {
  if (name === "custom")
    return { note: "`module=` and the module's options (`docs/extending.md`)." };
  const { options = {} } = policyNamed(name) ?? {};
  const words = Object.keys(policyOptions.get(name)!).map((key) =>
    isListOfTemplates(options[key]) ? "templates of the key" : `\`${snakeCase(key)}=\``,
  );
  return words.length === 0 ? {} : { note: `Options are ${words.join(", ")}.` };
}

function isListOfTemplates(option: Option | undefined): boolean {
  return option?.kind === "template" && option.list !== undefined;
}

/** A directive that sets one option of the policy beside it. */
export interface PolicySetting {
  readonly directive: Directive<number>;
  /** The policies that have this option. */
  readonly policies: readonly string[];
  readonly option: string;
}

function setting(
  name: string,
  definitions: readonly PolicyDefinition[],
  option: string,
): PolicySetting {
  const declared = definitions[0]!.options[option]!;
  const read = readerOf(declared);
  const args = reading(1, 1, ([word], scope) => read(word!, scope));
  const byDefault = String(declared.default ?? "none");
  return {
    directive: honoured(name, ["upstream"], args, `\`policy.${option}\``, { byDefault }),
    policies: definitions.map((definition) => definition.name),
    option,
  };
}

function readerOf({ kind, min = 0 }: Option): (word: Word, scope: Scope) => number {
  if (kind === "number") return fraction;
  return min > 0 ? positive : natural;
}

function natural(word: Word, scope: Scope): number {
  return parseNumber(word.text) ?? scope.fail(`"${scope.name}" directive invalid number`, word);
}

function positive(word: Word, scope: Scope): number {
  return natural(word, scope) || scope.fail(`"${scope.name}" directive invalid number`, word);
}

function fraction(word: Word, scope: Scope): number {
  if (/^\d+(\.\d*)?$|^\.\d+$/.test(word.text)) return Number(word.text);
  return scope.fail(`"${scope.name}" directive invalid number`, word);
}

const definitions: readonly PolicyDefinition[] = policies;

const settings = definitions.flatMap(({ nginx }) => Object.entries(nginx?.settings ?? {}));

export const policySettings: readonly PolicySetting[] = [...new Map(settings)].map(
  ([name, option]) => {
    const having = definitions.filter(({ nginx }) => nginx?.settings?.[name] !== undefined);
    return setting(name, having, option);
  },
);

export const policySettingDirectives: readonly Directive[] = [
  ...policySettings.map(({ directive }) => directive),
  ...definitions
    .flatMap(({ nginx }) => nginx?.zones ?? [])
    .map((name) => ignored(name, ["http"], size, "all workers share one scoreboard")),
];
