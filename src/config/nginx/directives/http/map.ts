/** `map`, `geo` and `split_clients`: variables whose value depends on another. */
import { number, reading, size } from "../../reading/arguments.ts";
import { type Directive, honoured, ignored } from "../../reading/directive.ts";
import type { Scope } from "../../reading/scope.ts";
import type { Word } from "../../syntax/lexer.ts";
import type { ConfNode } from "../../syntax/parser.ts";
import { geo } from "./geo.ts";
import { newVariable } from "./rewrite.ts";
import { type MapInput, splitClients } from "./split-clients.ts";

function readMap([source, variable]: readonly Word[], scope: Scope): MapInput {
  const name = newVariable(variable!, scope);
  scope.loading.variables.declare(name, variable!);
  const entries: MapInput["entries"] = [];
  const seen = new Set<string>();
  let otherwise: string | undefined;
  let isVolatile = /\$\{?body_/i.test(source!.text);
  let byHost = false;
  for (const node of scope.node.block ?? []) {
    const word = node.args.length === 0 ? node.name.text : "";
    if (word === "hostnames") byHost = true;
    if (word === "volatile") isVolatile = true;
    if (word === "hostnames" || word === "volatile") continue;
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
  return {
    source: scope.template(source!),
    variable: name,
    ...(byHost && { by: "host" }),
    ...(otherwise !== undefined && { default: otherwise }),
    entries,
    ...(!isVolatile && { cached: true }),
  };
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
    const literal = (text.startsWith("\\") ? text.slice(1) : text).toLowerCase();
    return literal.startsWith("~") ? `\\${literal}` : literal;
  }
  const ignoreCase = text.startsWith("~*");
  const regex = scope.regex(word, text.slice(ignoreCase ? 2 : 1));
  return `${ignoreCase || regex.ignoreCase ? "~*" : "~"}${regex.pattern}`;
}

export const map = honoured("map", ["http"], reading(2, 2, readMap), "an item of `maps`", {
  block: "entries",
  repeats: true,
  note: "With literals, `~regex`, `~*regex`, `default`, `hostnames` and `volatile`.",
});

const tables = "tables grow as needed";

/** All that define a variable in a block of their own. */
export const maps: readonly Directive<MapInput>[] = [map, geo, splitClients];

export const mapDirectives: readonly Directive[] = [
  ...maps,
  ignored("map_hash_bucket_size", ["http"], size, tables),
  ignored("map_hash_max_size", ["http"], number, tables),
];
