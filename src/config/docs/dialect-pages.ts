/** The parts of the dialects' pages that follow from their definitions. */
import type { EngineAttribute } from "../../dialects/definition.ts";
import type { Dialect } from "../../dialects/dialect.ts";
import { allDialects, defaultDialect } from "../../dialects/registry.ts";
import { engineAttributes } from "../values/engine-attributes.ts";
import { code, table } from "./markdown.ts";

const all: readonly Dialect[] = allDialects;

/** Of `docs/dialects.md`. */
export function overviewTable(): string {
  const rows = all.map((dialect) => {
    const { name, page, summary, overview } = dialect;
    const link = `[${code(name)}](dialects/${page}.md)`;
    const known = name === defaultDialect ? `${summary}; the default` : summary;
    return [link, known, orderOf(dialect), overview.prefill, overview.decode, overview.idsFrom];
  });
  const head = ["dialect", "engines", "order", "prefill gets", "decode gets", "ids from"];
  const auto = "[`auto`](dialects/auto.md)";
  return table(head, [...rows, [auto, "detected from the engines' responses"]]);
}

function orderOf({ order, servesWhole, callsBack }: Dialect): string {
  if (servesWhole) return "one engine";
  if (order === "together") return "both at once";
  if (order === "prefill-first") return "prefill, then decode";
  return callsBack
    ? "decode, which calls back for its prefill"
    : "decode; if needed, prefill and decode";
}

/** Names of the pages in `docs/dialects/` that have a table of attributes. */
export function pagesWithAttributes(): string[] {
  const pages = all.filter(({ attributes }) => attributes !== undefined).map(({ page }) => page);
  return [...new Set(pages)];
}

/** The attributes that the dialects of a page read. */
export function attributeTable(page: string): string {
  const dialects = all.filter((dialect) => dialect.page === page);
  const rows = new Map<string, string[]>();
  for (const { attributes = {} } of dialects) {
    for (const [name, attribute] of Object.entries(attributes)) {
      const readers = dialects.filter((one) => Object.hasOwn(one.attributes ?? {}, name));
      const only = readers.length === dialects.length ? "" : ` (${namesOf(readers)} only)`;
      const { meaning, default: otherwise = "none" } = attribute;
      rows.set(name, [code(name), engineOf(attribute), `${meaning}${only}`, otherwise]);
    }
  }
  return table(["attribute", "of", "meaning", "default"], [...rows.values()]);
}

function engineOf({ of }: EngineAttribute): string {
  return of === "both" ? "both engines" : `the ${of} engine`;
}

/** Of `docs/kv-transfer.md`: all attributes, each with the dialects that read it. */
export function allAttributesTable(): string {
  const names = Object.keys(engineAttributes).toSorted();
  const rows = names.map((name) => {
    const readers = all.filter(({ attributes = {} }) => Object.hasOwn(attributes, name));
    return [code(name), engineAttributes[name]!, namesOf(readers) || "–"];
  });
  return table(["attribute", "meaning", "read by"], rows);
}

/** Of `docs/kv-transfer.md`: what frees a KV cache that no decode fetches. */
export function kvReleaseTable(): string {
  const rows = all.map(({ name, release, servesWhole }) => {
    if (release === undefined)
      return [code(name), servesWhole ? "there is no transfer" : "no engine holds it", "–"];
    return [code(name), release.how, release.lease];
  });
  return table(["dialect", "frees it", "else the engine holds it for"], rows);
}

function namesOf(dialects: readonly Dialect[]): string {
  return dialects.map(({ name }) => code(name)).join(", ");
}
