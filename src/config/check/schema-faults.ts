/** The schema's issues, in an operator's terms: where, what was expected, what was found, what was probably meant. */
import type { z } from "zod";
import { type ConfigFault, type ConfigPath, formatPath, valueAt } from "../problems/fault.ts";
import { didYouMean } from "../problems/suggest.ts";
import { describeExpected, type JsonSchema, keysAt, schemasAt } from "../schema/expected.ts";
import { isSecretName } from "../values/secrets.ts";

type Issue = z.core.$ZodIssue;

/** What was validated. */
interface Validated {
  /** Messages quote it. */
  readonly value: unknown;
  /** Undefined = that of the configuration. */
  readonly schema: JsonSchema | undefined;
}

/**
 * @param value what was validated: messages quote it
 * @param schema it was validated against; by default that of the configuration
 */
export function schemaFaults(
  issues: readonly Issue[],
  value: unknown,
  schema?: JsonSchema,
): ConfigFault[] {
  const faults = issues.flatMap((issue) => faultsOf(issue, [], { value, schema }));
  // A misspelt key is also a missing key: one message is enough.
  return faults.filter(
    ({ missing, path }) =>
      missing === undefined ||
      !faults.some((other) => other.hint === didYouMean(missing, [missing]) && isIn(other, path)),
  );
}

function isIn({ path }: ConfigFault, parent: ConfigPath): boolean {
  return path.length === parent.length + 1 && parent.every((step, at) => path[at] === step);
}

function faultsOf(issue: Issue, prefix: ConfigPath, root: Validated): ConfigFault[] {
  const path: ConfigPath = [...prefix, ...(issue.path as ConfigPath)];
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => unknownKey(path, key, keysAt(path, root.schema)));
  }
  if (issue.code === "invalid_key") {
    return [fault(path, `a name in ${formatPath(path.slice(0, -1))} is empty`, undefined, true)];
  }
  if (issue.code === "invalid_union" && issue.errors.length > 0) {
    return unionFaults(issue.errors, path, root);
  }
  const actual = valueAt(root.value, path);
  if (actual === undefined) return [missingKey(path, root)];
  if (issue.code === "invalid_format" && issue.format === "starts_with") {
    const { prefix: start } = issue as { prefix?: string };
    return [
      fault(path, `${formatPath(path)} must begin with "${start}", not ${show(actual, path)}`),
    ];
  }
  return [wrongValue(path, actual, wordsOf(issue), root)];
}

function unknownKey(path: ConfigPath, key: string, known: readonly string[]): ConfigFault {
  const place = path.length === 0 ? "" : ` in ${formatPath(path)}`;
  const hint = didYouMean(key, known) ?? `valid keys: ${known.join(", ")}`;
  return fault([...path, key], `unknown key "${key}"${place}`, hint, true);
}

function missingKey(path: ConfigPath, root: Validated): ConfigFault {
  const parent = path.slice(0, -1);
  const place = parent.length === 0 ? "" : ` in ${formatPath(parent)}`;
  const expected = describeExpected(schemasAt(path, root.schema));
  const missing = String(path.at(-1));
  const hint = `expected ${expected}`;
  return { ...fault(parent, `missing key "${missing}"${place}`, hint), missing };
}

function wrongValue(
  path: ConfigPath,
  actual: unknown,
  words: readonly string[],
  root: Validated,
): ConfigFault {
  const expected =
    words.length > 0
      ? `one of ${words.map((word) => JSON.stringify(word)).join(", ")}`
      : describeExpected(schemasAt(path, root.schema));
  const hint = typeof actual === "string" ? didYouMean(actual, words) : undefined;
  return fault(path, `${formatPath(path)} must be ${expected}, not ${show(actual, path)}`, hint);
}

/** The words that an issue lists as valid. */
function wordsOf(issue: Issue): string[] {
  if (issue.code === "invalid_value") {
    return issue.values.filter((value) => typeof value === "string");
  }
  const { options } = issue as { options?: readonly unknown[] };
  return (options ?? []).filter((option) => typeof option === "string");
}

/**
 * No branch of a union matched. The operator meant the branch that has all the given keys; if there is none, the keys
 * of all branches are candidates.
 */
function unionFaults(
  branches: readonly (readonly Issue[])[],
  path: ConfigPath,
  root: Validated,
): ConfigFault[] {
  const actual = valueAt(root.value, path);
  if (actual === undefined) return [missingKey(path, root)];
  if (Array.isArray(actual)) {
    // A list was meant, and some of its items are wrong.
    const list = branches.find((issues) => issues.every((issue) => issue.path.length > 0));
    if (list !== undefined) return list.flatMap((issue) => faultsOf(issue, path, root));
  }
  if (typeof actual !== "object" || actual === null || Array.isArray(actual)) {
    const words = branches.flatMap((issues) => issues.flatMap(wordsOf));
    const expected = describeExpected(schemasAt(path, root.schema));
    const hint = typeof actual === "string" ? didYouMean(actual, words) : undefined;
    return [
      fault(path, `${formatPath(path)} must be ${expected}, not ${show(actual, path)}`, hint),
    ];
  }
  const known = keysAt(path, root.schema);
  const given = Object.keys(actual);
  const stranger = given.find((key) => !known.includes(key));
  if (stranger !== undefined) return [unknownKey(path, stranger, known)];
  const place = formatPath(path);
  if (given.length === 0)
    return [fault(path, `${place} needs one of the keys ${known.join(", ")}`)];
  const meant = branches.find((issues) => !issues.some(isAboutBranch));
  if (meant !== undefined) return meant.flatMap((issue) => faultsOf(issue, path, root));
  const names = given.map((key) => `"${key}"`).join(" and ");
  return [fault(path, `${names} cannot be combined in ${place}`, "keep one of them")];
}

/** Whether an issue says that the value belongs to another branch of the union. */
function isAboutBranch(issue: Issue): boolean {
  return issue.code === "unrecognized_keys" && issue.path.length === 0;
}

function fault(path: ConfigPath, message: string, hint?: string, atKey = false): ConfigFault {
  return { path, atKey, level: "emerg", message, ...(hint === undefined ? {} : { hint }) };
}

/** Not of what may be a secret: whoever writes it where only its place belongs is not to find it in a log. */
function show(value: unknown, path: ConfigPath): string {
  if (value === null) return "nothing";
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : "a list";
  if (typeof value === "object") return "a map";
  if (typeof value === "string" && isSecretName(String(path.at(-1)))) return "a text";
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}
