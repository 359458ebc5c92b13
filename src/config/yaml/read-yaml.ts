/** A YAML (or JSON) document: read with positions, and validated against the schema. */
import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  type YAMLError,
} from "yaml";
import { schemaFaults } from "../check/schema-faults.ts";
import type { ConfigFault, ConfigPath } from "../problems/fault.ts";
import { type ConfigProblem, inFileOrder, problemAt } from "../problems/problem.ts";
import { withDefaultPolicies } from "../schema/pool/default-policies.ts";
import { type Config, type ConfigInput, configSchema } from "../schema/schema.ts";

/** The place of a fault in its file. */
export type Locate = (fault: ConfigFault) => ConfigProblem;

export type YamlResult =
  | { readonly config: Config; readonly input: ConfigInput; readonly locate: Locate }
  | { readonly errors: readonly ConfigProblem[] };

/** Aliases that a document may use: a bound on documents that grow by reference. */
const aliasesMax = 1000;

/** A document with the places of its values, or what is wrong with it as YAML. */
export type OpenedYaml =
  | { readonly value: unknown; readonly locate: Locate }
  | { readonly errors: readonly ConfigProblem[] };

export function openYaml(text: string, file: string): OpenedYaml {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, merge: true });
  if (document.errors.length > 0) {
    return { errors: document.errors.map((error) => syntaxProblem(error, lines, file)) };
  }
  const locate: Locate = (fault) => {
    const place = placeOf(document, lines, fault.path, fault.atKey ?? false);
    return problemAt({ file, ...place }, fault);
  };
  const value = toValue(document);
  if (value instanceof Error) {
    return { errors: [locate({ path: [], level: "emerg", message: value.message })] };
  }
  return { value, locate };
}

export function parseYaml(text: string, file: string): YamlResult {
  const opened = openYaml(text, file);
  if ("errors" in opened) return opened;
  const { value, locate } = opened;
  const parsed = configSchema.safeParse(value);
  if (parsed.success) {
    const input = value as ConfigInput;
    return { config: withDefaultPolicies(parsed.data, input), input, locate };
  }
  return { errors: inFileOrder(schemaFaults(parsed.error.issues, value).map(locate)) };
}

function toValue(document: Document): unknown {
  try {
    return document.toJS({ maxAliasCount: aliasesMax });
  } catch (error) {
    // An alias without its anchor, or too many of them.
    return error instanceof Error ? error : new Error(String(error));
  }
}

function syntaxProblem(error: YAMLError, lines: LineCounter, file: string): ConfigProblem {
  const { line, col } = lines.linePos(error.pos[0]);
  const message = error.message.replace(/\s+/g, " ").trim();
  return { file, line, column: col, level: "emerg", message: `invalid YAML: ${message}` };
}

/** The place of the value at a path, or of the nearest value around it that is written in the file. */
function placeOf(document: Document, lines: LineCounter, path: ConfigPath, atKey: boolean) {
  let node: Node | null = document.contents;
  let offset = node?.range?.[0];
  for (const [depth, step] of path.entries()) {
    const child = childOf(document, node, step);
    if (child === undefined) break;
    const wanted = atKey && depth === path.length - 1 ? child.key : (child.value ?? child.key);
    offset = wanted?.range?.[0] ?? offset;
    node = child.value;
  }
  if (offset === undefined) return { line: 0, column: 0 };
  const { line, col } = lines.linePos(offset);
  return { line, column: col };
}

function childOf(document: Document, parent: Node | null, step: string | number) {
  const node = isAlias(parent) ? parent.resolve(document) : parent;
  if (isSeq(node)) {
    const item = node.items[Number(step)];
    return isNode(item) ? { key: null, value: item } : undefined;
  }
  if (!isMap(node)) return undefined;
  const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(step));
  if (pair === undefined) return undefined;
  const key = isNode(pair.key) ? pair.key : null;
  return { key, value: isNode(pair.value) ? pair.value : null };
}
