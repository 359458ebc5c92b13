/** `map`: a variable whose value depends on another. */
import type { ConfigInput } from "../../../schema/schema.ts";
import { number, reading, size } from "../../reading/arguments.ts";
import { type Directive, honoured, ignored } from "../../reading/directive.ts";
import type { Scope } from "../../reading/scope.ts";
import type { Word } from "../../syntax/lexer.ts";
import type { ConfNode } from "../../syntax/parser.ts";
import { newVariable } from "./rewrite.ts";

type MapInput = NonNullable<ConfigInput["maps"]>[number];

function readMap([source, variable]: readonly Word[], scope: Scope): MapInput {
  const name = newVariable(variable!, scope);
  scope.loading.variables.declare(name, variable!);
  const entries: MapInput["entries"] = [];
  const seen = new Set<string>();
  let otherwise: string | undefined;
  for (const node of scope.node.block ?? []) {
    if (isMapParameter(node, scope)) continue;
    const value = readValue(node, scope);
    if (node.name.text === "default") {
      if (otherwise !== undefined) scope.fail("duplicate default map parameter", node.name);
      otherwise = value;
      continue;
    }
    const match = readMatch(node.name, scope);
    if (seen.has(match)) scope.fail(`conflicting parameter "${match}"`, node.name);
    // A regular expression may be repeated.
    if (!match.startsWith("~")) seen.add(match);
    entries.push({ match, value });
  }
  const map = { source: scope.template(source!), variable: name, entries };
  return otherwise === undefined ? map : { ...map, default: otherwise };
}

/** `hostnames` and `volatile` concern the whole map. */
function isMapParameter({ name, args, block }: ConfNode, scope: Scope): boolean {
  if (block !== undefined || args.length > 0) return false;
  if (name.text === "hostnames") {
    scope.fail('"hostnames" of "map" is not supported yet', name, "write regular expressions");
  }
  if (name.text !== "volatile") return false;
  scope.notice('"volatile" of "map" has no effect here: values are never cached', name, "volatile");
  return true;
}

function readValue({ name, args, block }: ConfNode, scope: Scope): string {
  if (block !== undefined) scope.fail('unexpected "{"', name);
  const [value] = args;
  if (value === undefined || args.length > 1) {
    scope.fail("invalid number of the map parameters", name);
  }
  return scope.template(value);
}

function readMatch(word: Word, scope: Scope): string {
  const { text } = word;
  if (!text.startsWith("~")) {
    // After a backslash, a word such as `default` is a literal.
    const literal = text.startsWith("\\") ? text.slice(1) : text;
    if (literal.startsWith("~")) {
      scope.fail('a literal that begins with "~" is not supported', word, "write it as ~^~…$");
    }
    return literal.toLowerCase();
  }
  const ignoreCase = text.startsWith("~*");
  const regex = scope.regex(word, text.slice(ignoreCase ? 2 : 1));
  return `${ignoreCase || regex.ignoreCase ? "~*" : "~"}${regex.pattern}`;
}

export const map = honoured("map", ["http"], reading(2, 2, readMap), "an item of `maps`", {
  block: "entries",
  repeats: true,
  note: "With literals, `~regex`, `~*regex` and `default`.",
});

const tables = "tables grow as needed";

export const mapDirectives: readonly Directive[] = [
  map,
  ignored("map_hash_bucket_size", ["http"], size, tables),
  ignored("map_hash_max_size", ["http"], number, tables),
];
