/** From what the configuration says to a policy: of the registry, or of an operator's module behind a guard. */
import { type CustomPolicy, isCustom, loadedModule, messageOf } from "./custom-policy.ts";
import { GuardedPolicy } from "./guarded-policy.ts";
import { leastConn } from "./least-conn.ts";
import { policyNamed } from "./registry.ts";
import {
  type KeyTemplate,
  keyTemplates,
  needsOf,
  type PolicyDefinition,
  type PolicyNeeds,
} from "./shared/define-policy.ts";
import type { Policy, PolicyDeps } from "./shared/policy.ts";

/** A policy with its options, as the checked configuration has it. */
export type ChosenPolicy = { readonly name: string } | CustomPolicy;

type Values = Readonly<Record<string, unknown>>;

interface Resolved {
  readonly definition: PolicyDefinition;
  readonly options: Values;
  /** Why `definition` stands in for what was chosen. */
  readonly fault?: string;
}

/** @param onFault called once when an operator's policy fails and `least_conn` takes its place */
export function createPolicy(
  chosen: ChosenPolicy,
  deps: PolicyDeps,
  onFault: (message: string) => void = () => {},
): Policy {
  const { definition, options, fault } = resolve(chosen);
  if (!isCustom(chosen)) return definition.create(deps, options);
  const failed = (message: string) =>
    onFault(`policy ${chosen.module} failed, least_conn takes its place: ${message}`);
  if (fault === undefined) {
    return new GuardedPolicy(() => definition.create(deps, options), deps, failed);
  }
  failed(fault);
  return definition.create(deps, options);
}

export function policyNeeds(chosen: ChosenPolicy): PolicyNeeds {
  const { definition, options } = resolve(chosen);
  try {
    return needsOf(definition, options);
  } catch {
    // An operator's policy; its first pick will show what is wrong.
    return {};
  }
}

/** The templates of a policy: the first whose value is not empty gives a request's key. */
export function policyKeyTemplates(chosen: ChosenPolicy): readonly KeyTemplate[] {
  const { definition, options } = resolve(chosen);
  return keyTemplates(definition.options, options);
}

function resolve(chosen: ChosenPolicy): Resolved {
  if (!isCustom(chosen)) {
    const definition = policyNamed(chosen.name);
    if (definition === undefined) throw new Error(`no policy is named "${chosen.name}"`);
    return { definition, options: chosen as Values };
  }
  const { definition, schema, fault } = loadedModule(chosen.module);
  if (definition === undefined) return standIn(`the module ${fault}`);
  try {
    const parsed = schema().safeParse(chosen.options);
    if (parsed.success) return { definition, options: parsed.data };
    return standIn(`its options do not fit: ${parsed.error.issues[0]?.message}`);
  } catch (error) {
    return standIn(messageOf(error));
  }
}

function standIn(fault: string): Resolved {
  return { definition: leastConn, options: {}, fault };
}
