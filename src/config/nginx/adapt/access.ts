/** Who may use a location. */
import type { Block } from "../directives/block.ts";
import { allow, deny, satisfy } from "../directives/http/access.ts";
import type { RouteInput } from "../directives/http/location.ts";

type Rule = NonNullable<NonNullable<RouteInput["access"]>["rules"]>[number];

export function readAccess(block: Block): Partial<RouteInput> {
  const rules = readRules(block);
  if (rules.length === 0) return {};
  const any = block.value(satisfy, "all") === "any";
  return { access: { rules: [...rules], ...(any && { satisfy: "any" }) } };
}

/** A level with `allow` or `deny` inherits neither. */
function readRules(block: Block): readonly Rule[] {
  const rules = block.entries.flatMap((entry): Rule[] => {
    if (entry.directive === allow) return [{ allow: entry.value as string }];
    return entry.directive === deny ? [{ deny: entry.value as string }] : [];
  });
  return rules.length > 0 || block.parent === undefined ? rules : readRules(block.parent);
}
