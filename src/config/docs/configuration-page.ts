/** The documentation of the configuration and its JSON Schema for editors: both come from the one schema. */
import {
  alternatives,
  describeExpected,
  inputSchema,
  type JsonSchema,
} from "../schema/expected.ts";
import { variableNames } from "../values/variables.ts";

const intro = `# Configuration

<!-- Made by \`npm run docs\` from src/config/schema/schema.ts. -->

\`global-proxy -c FILE\` reads this format from a file whose name ends in \`.yaml\`, \`.yml\` or \`.json\`; any other file is read as
nginx.conf. \`global-proxy convert nginx.conf\` prints the YAML that means the same. \`global-proxy -t -c FILE\` checks a file.

For completion in an editor, put this in the first line:

\`\`\`yaml
# yaml-language-server: $schema=./node_modules/global-proxy/config.schema.json
\`\`\`

Two prefill and two decode engines:

\`\`\`yaml
pools:
  prefill:
    policy: { name: length_balance }
    engines: [{ url: http://127.0.0.1:8090 }, { url: http://127.0.0.1:8091 }]
  decode:
    policy: { name: least_conn }
    engines: [{ url: http://127.0.0.1:8094 }, { url: http://127.0.0.1:8095 }]
servers:
  - listen: [{ port: 8080 }]
    routes:
      - match: { kind: exact, path: /v1/completions }
        prefill: { pool: prefill }
        target: { pool: decode }
      - match: { path: / }
        target: { pool: decode }
\`\`\`

Unknown keys are errors. Times are in milliseconds and sizes in bytes, as the names say. A relative path of a log or pid file
starts at the prefix: \`-p\`, or the working directory.
`;

const logs = `## Logs

The error log has nginx's form; the number behind the process is the thread, 0 for the main thread and N + 1 for worker N:

\`\`\`
2026/11/22 19:13:27 [error] 7851#1: message, client: 10.0.0.1, upstream: 127.0.0.1:8090
\`\`\`

Lines of access logs are written together, after 200 ms at the latest. Files are only appended to, and \`-s reopen\` (SIGUSR1) opens
them again after a rotation. A full disk costs lines, not requests.
`;

const templates = `## Variables

A value that is called a template may hold variables, as \`$name\` or \`\${name}\`. Besides those that \`maps\` and \`set\` make, and the
captures of regular expressions:
`;

export function configurationMarkdown(): string {
  const names = variableNames.map((name) => `\`$${name}\`${name.endsWith("_") ? "_name_" : ""}`);
  const sections = section("The file", "", inputSchema, new Map());
  return [intro, ...sections, logs, `${templates}\n${names.join(", ")}.\n`].join("\n");
}

/** Draft 2020-12, for the file as it is written: defaults are optional. */
export function configurationJsonSchema(): string {
  const titled = { title: "Global Proxy", ...inputSchema };
  return `${JSON.stringify(titled, null, 2)}\n`;
}

/**
 * One section per map; a union of maps has one table for each of its forms.
 * @param written titles of the sections so far by what they say: a map that stands in two places is described once.
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
    const rows = Object.entries(form.properties ?? {}).map(([key, member]) => {
      const memberPath = path === "" ? key : `${path}.${key}`;
      const [inner, innerPath] = innerMap(member, memberPath);
      if (inner !== undefined)
        nested.push(...section(`\`${innerPath}\``, innerPath, inner, written));
      return row(key, member, form.required?.includes(key) ?? false);
    });
    // The section's own sentence stands below its title; a form's sentence below that.
    const sentence =
      forms.length > 1 && form.description !== undefined ? `${form.description}\n\n` : "";
    return `${sentence}${table([["key", "value", "default", ""], ...rows])}\n`;
  });
  const description = schema.description === undefined ? "" : `${schema.description}\n\n`;
  const either = forms.length > 1 ? "One of these forms:\n\n" : "";
  return [`## ${title}\n\n${description}${either}${tables.join("\n")}`, ...nested];
}

function row(key: string, schema: JsonSchema, required: boolean): string[] {
  const fallback = required ? "required" : defaultOf(schema);
  const cells = [`\`${key}\``, typeOf(schema), fallback, schema.description ?? ""];
  return cells.map((cell) => cell.replaceAll("|", "\\|"));
}

/** Columns are padded to one width, as the formatter wants them. */
function table(rows: readonly (readonly string[])[]): string {
  const columns = rows[0]!.map((_, column) =>
    Math.max(3, ...rows.map((row) => row[column]!.length)),
  );
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => cell.padEnd(columns[column]!)).join(" | ")} |`;
  const rule = columns.map((width) => "-".repeat(width));
  const [head, ...body] = rows;
  return [head!, rule, ...body].map(line).join("\n");
}

function defaultOf({ default: value }: JsonSchema): string {
  if (value === undefined) return "";
  const isMap = typeof value === "object" && value !== null && !Array.isArray(value);
  if (isMap && Object.keys(value).length === 0) return "";
  if (isMap && "name" in value) return `\`${value.name}\``;
  return `\`${typeof value === "string" && value !== "" ? value : JSON.stringify(value)}\``;
}

function typeOf(schema: JsonSchema): string {
  if (isNamedMap(schema)) return "maps by name";
  if (schema.type === "array") {
    const expected = plain(alternatives(schema.items ?? {}));
    return expected === "map" ? "list of maps" : `list: ${expected}`;
  }
  if (typeof schema.additionalProperties === "object") return "text by name";
  return plain(alternatives(schema));
}

function plain(schemas: readonly JsonSchema[]): string {
  const expected = describeExpected(schemas);
  if (expected.startsWith("a map")) return "map";
  return expected.replaceAll(" that is not empty", "").replaceAll('"', "`");
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
