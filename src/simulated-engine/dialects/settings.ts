/** Settings of a dialect, as they stand behind its name: `name[:key=value,…]`. */

import type { z } from "zod";

/** What stands behind the name, as in `vllm-nixl:generation=older`. */
export type Settings = Readonly<Record<string, string>>;

/** Splits `name[:key=value,…]`. Throws an Error that says what is wrong with it. */
export function readSpec(spec: string, what: string): { name: string; settings: Settings } {
  const colon = spec.indexOf(":");
  const name = colon < 0 ? spec : spec.slice(0, colon);
  const settings: Record<string, string> = {};
  for (const part of colon < 0 ? [] : spec.slice(colon + 1).split(",")) {
    const equals = part.indexOf("=");
    if (equals < 1) throw new Error(`${what} "${spec}": "${part}" is not key=value`);
    settings[part.slice(0, equals)] = part.slice(equals + 1);
  }
  return { name, settings };
}

/** Reads a dialect's settings. Throws an Error that names the first one that is wrong. */
export function readSettings<T extends z.ZodType>(schema: T, settings: Settings): z.output<T> {
  const result = schema.safeParse(settings);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  const where = issue.path.length > 0 ? `${issue.path.join(".")}: ` : "";
  throw new Error(`dialect setting: ${where}${issue.message}`);
}
