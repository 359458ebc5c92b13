/** docs/configuration.md and config.schema.json: both come from the one schema. */
import {
  alternatives,
  describeExpected,
  inputSchema,
  type JsonSchema,
} from "../schema/expected.ts";
import { variableNames } from "../values/variables.ts";
import { intro, logs, templates } from "./configuration-texts.ts";
import { code, notes, table, withLinks } from "./markdown.ts";

export function configurationMarkdown(): string {
  const names = variableNames.map(
    (name) => `${code(`$${name}`)}${name.endsWith("_") ? "_name_" : ""}`,
  );
  const sections = section("All keys", "", inputSchema(), new Map());
  return [intro, ...sections, logs, `${templates}\n${names.join(", ")}.\n`].join("\n");
}

/** Draft 2020-12, for the file as it is written: defaults are optional. */
export function configurationJsonSchema(): string {
  const titled = { title: "Global Proxy", ...inputSchema() };
  return `${JSON.stringify(titled, null, 2)}\n`;
}

/**
 * One section per map; a union of maps has one table for each of its forms.
 * @param written titles of the sections so far by their contents: a map that occurs twice is described once
 */
function section(
  title: string,
  path: string,
  schema: JsonSchema,
  written: Map<string, string>,
): string[] {
  const forms = alternatives(schema).filter(({ properties }) => properties !== undefined);
  if (forms.length === 0) return [];
  const content = JSON.stringify(forms);
  const twin = written.get(content);
  if (twin !== undefined) return [`## ${title}\n\nAs ${twin}.\n`];
  written.set(content, title);
  const nested: string[] = [];
  const tables = forms.map((form) => {
    for (const [key, member] of Object.entries(form.properties ?? {})) {
      const [inner, innerPath] = innerMap(member, path === "" ? key : `${path}.${key}`);
      if (inner !== undefined) {
        nested.push(...section(code(innerPath), innerPath, inner, written));
      }
    }
    return formOf(form, forms.length > 1);
  });
  const description = schema.description === undefined ? "" : `${inParagraphs(schema)}\n\n`;
  const named = "`name` is one of these, and the other keys are its options:";
  const choice =
    forms[0]?.properties?.["name"]?.const === undefined ? "One of these forms:" : named;
  const either = forms.length > 1 ? `${choice}\n\n` : "";
  return [`## ${title}\n\n${description}${either}${tables.join("\n")}`, ...nested];
}

/** The table of one map. If the map is one of several forms, its name or its sentence stands above the table. */
function formOf({ description, properties = {}, required = [] }: JsonSchema, isOneOf: boolean) {
  const { name, ...others } = properties;
  const title = isOneOf && name?.const !== undefined ? `### ${code(String(name.const))}\n\n` : "";
  const rows: string[][] = [];
  const details: [string, string][] = [];
  for (const [key, member] of Object.entries(title === "" ? properties : others)) {
    const [phrase = "", more] = (member.description ?? "").split("\n\n");
    const fallback = required.includes(key) ? "required" : defaultOf(member);
    rows.push([code(key), typeOf(member), fallback, withLinks(phrase)]);
    // A map's own section has its details.
    if (more !== undefined && innerMap(member, "")[0] === undefined) {
      details.push([code(key), withLinks(more)]);
    }
  }
  const above = isOneOf && description !== undefined ? `${inParagraphs({ description })}\n` : "";
  const keys = rows.length === 0 ? "" : `${table(["key", "value", "default", "meaning"], rows)}\n`;
  const below = details.length === 0 ? "" : `${notes(details)}\n`;
  return title + [above, keys, below].filter((part) => part !== "").join("\n");
}

function inParagraphs({ description = "" }: JsonSchema): string {
  return withLinks(description.replace("\n\n", " "));
}

function defaultOf({ default: value }: JsonSchema): string {
  if (value === undefined) return "";
  const isMap = typeof value === "object" && value !== null && !Array.isArray(value);
  if (isMap && Object.keys(value).length === 0) return "";
  if (isMap && "name" in value) return code(String(value.name));
  return code(typeof value === "string" && value !== "" ? value : JSON.stringify(value));
}

function typeOf(schema: JsonSchema): string {
  if (isNamedMap(schema)) return "maps by name";
  if (schema.type === "array") {
    const expected = inShort(alternatives(schema.items ?? {}));
    return expected === "map" ? "list of maps" : `list of ${expected}`;
  }
  if (typeof schema.additionalProperties === "object") return "text by name";
  return inShort(alternatives(schema));
}

/** What error messages say in full. */
function inShort(schemas: readonly JsonSchema[]): string {
  const expected = describeExpected(schemas);
  if (expected.startsWith("a map")) return "map";
  return expected
    .replaceAll(" that is not empty", "")
    .replace(/^one of /, "")
    .replaceAll("a whole number", "integer")
    .replaceAll("a number", "number")
    .replaceAll(/ from (\S+) to (\S+)/g, ", $1 to $2")
    .replaceAll(/ of (\S+) or more/g, ", at least $1")
    .replaceAll('"', "`");
}

/** A map whose keys the operator chooses, and whose values are maps. */
function isNamedMap({ additionalProperties }: JsonSchema): boolean {
  return typeof additionalProperties === "object" && "properties" in additionalProperties;
}

/** The map that a key leads to, through lists and names. */
function innerMap(schema: JsonSchema, path: string): [JsonSchema | undefined, string] {
  if (schema.type === "array") return innerMap(schema.items ?? {}, `${path}[]`);
  const { additionalProperties } = schema;
  if (typeof additionalProperties === "object" && isNamedMap(schema)) {
    return innerMap(additionalProperties, `${path}.NAME`);
  }
  const hasKeys = alternatives(schema).some(({ properties }) => properties !== undefined);
  return [hasKeys ? schema : undefined, path];
}
