/**
 * Hides secrets in what people get to see: dumps, logs, messages. What is hidden becomes `***`. Secrets are known by
 * where they stand (a header's name, a parameter's name, the user of a URL) and by their form (`Bearer …`, `sk-…`).
 */
import type { Config } from "../schema/schema.ts";

export const hidden = "***";

/** Parts of the names of headers, parameters, variables and attributes whose values are secret. */
const secretName =
  /authori[sz]ation|api[-_]?key|auth[-_]?key|x[-_][\w-]{1,64}[-_]key$|secret|token(?!i|s)|password|passwd|cookie/i;
const variable = /\$\{?\w+\}?/;

/** Each costs a time linear in the text, which a client may have written. */
const patterns: readonly (readonly [RegExp, string])[] = [
  // The user of a URL. A number alone behind the sign is an engine's data-parallel rank.
  [/(:\/\/)[^\s/?#@$"']{1,512}@(?!\d{1,5}(?:-\d{1,5})?(?:[?\s"',;]|$))/g, `$1${hidden}@`],
  [/\b(Bearer|Basic)([ \t]{1,4})(?!\$)[^\s"'\\,;]{3,}/gi, `$1$2${hidden}`],
  [/\b(?:sk|hf|ghp|xox[abp])[-_][A-Za-z0-9_-]{8,}/g, hidden],
  [
    /((?:api[-_]?key|auth[-_]?key|[?&]key|secret|token|password|passwd)=)(?!\$)[^\s&"';,]+/gi,
    `$1${hidden}`,
  ],
];

/** A line of a log, a message, or a value of which nothing else is known. */
export function maskText(text: string): string {
  let masked = text;
  for (const [pattern, by] of patterns) masked = masked.replace(pattern, by);
  return masked;
}

export interface MaskedConfig {
  readonly config: Config;
  /** How many values have been hidden. */
  readonly count: number;
}

/** The same configuration with its secrets hidden. It is for reading: a proxy that ran it would send `***`. */
export function maskConfig(config: Config): MaskedConfig {
  const counter = { count: 0 };
  const masked = maskValue(config, "", counter) as Config;
  const { tracing } = config;
  if (tracing === undefined) return { config: masked, count: counter.count };
  // Whatever their names, they are there for a collector's keys.
  const names = Object.keys(tracing.headers);
  const headers = Object.fromEntries(names.map((name) => [name, hidden]));
  const isHidden = (name: string) => masked.tracing?.headers[name] !== tracing.headers[name];
  const count = counter.count + names.filter((name) => !isHidden(name)).length;
  return { config: { ...masked, tracing: { ...masked.tracing!, headers } }, count };
}

/** @param name the key under which the value stands */
function maskValue(value: unknown, name: string, counter: { count: number }): unknown {
  if (typeof value === "string") {
    const masked = secretName.test(name) ? maskSecret(value) : maskText(value);
    if (masked !== value) counter.count += 1;
    return masked;
  }
  if (Array.isArray(value)) return value.map((item) => maskValue(item, name, counter));
  if (typeof value !== "object" || value === null) return value;
  // Where a token is read from is no secret.
  if (name === "token" && ("file" in value || "env" in value)) return value;
  const members = Object.entries(value).map(([key, member]) => {
    // Of an entry of a map only one side is secret.
    const inherited = name.startsWith(`${key} `) ? name : nameOf(key, value);
    return [key, maskValue(member, inherited, counter)] as const;
  });
  return Object.fromEntries(members);
}

/** `{ name: "api_key", value: … }` and a map from a secret or to one are known by a member beside the value. */
function nameOf(key: string, owner: object): string {
  const { name, source, variable: defines } = owner as Record<string, unknown>;
  if (key === "value" && typeof name === "string") return name;
  if (typeof source !== "string" || typeof defines !== "string") return key;
  if (key === "entries") return secretName.test(source) ? `match ${source}` : `value ${defines}`;
  return key === "default" ? defines : key;
}

export function isSecretName(name: string): boolean {
  return secretName.test(name);
}

/** A value that only passes on what a client has sent has nothing to hide. */
function maskSecret(text: string): string {
  return variable.test(text) ? maskText(text) : hideSecret(text);
}

/** A value that is secret; the word before a credential stays. */
export function hideSecret(text: string): string {
  if (text === "") return "";
  const [, scheme = ""] = /^((?:Bearer|Basic)\s+)/i.exec(text) ?? [];
  return `${scheme}${hidden}`;
}
