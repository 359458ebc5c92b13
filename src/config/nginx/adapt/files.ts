/** Directives about files → what a route responds with by itself. */
import type { ConfigInput } from "../../schema/schema.ts";
import { nginxContentTypes } from "../../values/content-types.ts";
import type { Block } from "../directives/block.ts";
import { types } from "../directives/http/content.ts";
import { alias, etag, index, modifiedSince, root, tryFiles } from "../directives/http/files.ts";
import { location, type RouteInput } from "../directives/http/location.ts";
import type { Loading } from "../reading/scope.ts";
import type { FlatLocation } from "./locations.ts";

type Files = NonNullable<RouteInput["files"]>;

/** Undefined = the file says nothing of files here. nginx would look into its folder `html`. */
export function readFiles(
  place: FlatLocation,
  { prefix, report }: Loading,
): Pick<RouteInput, "files"> {
  const { block } = place;
  // Not inherited, not even by a condition (nginx's rule).
  const [tried] = block.own(tryFiles);
  const folder = readFolder(place, report);
  if (folder === undefined && tried === undefined) return {};
  const since = block.value(modifiedSince, "exact");
  const files: Files = {
    ...(folder ?? { root: `${prefix}/html` }),
    index: block.inherited(index).flatMap(({ value }) => value),
    ...(tried && { tries: tried.value.tries, otherwise: tried.value.otherwise }),
    ...(!block.value(etag, true) && { etag: false }),
    ...(since !== "exact" && { modifiedSince: since }),
  };
  if (files.index?.length === 0) delete files.index;
  return { files };
}

/** The nearest `root` or `alias`; that one's own location says what an alias replaces. */
function readFolder(
  { block, match }: FlatLocation,
  report: Loading["report"],
): Pick<Files, "root" | "replaces" | "isFile"> | undefined {
  const [ownRoot] = block.own(root);
  const [ownAlias] = block.own(alias);
  if (ownRoot !== undefined && ownAlias !== undefined) {
    const later =
      block.entries.indexOf(ownRoot) > block.entries.indexOf(ownAlias) ? ownRoot : ownAlias;
    const isRoot = later === ownRoot;
    const [name, other] = isRoot ? ["root", "alias"] : ["alias", "root"];
    const message = `"${name}" directive is duplicate, "${other}" directive was specified earlier`;
    report.emerg(later.node.name.position, message);
  }
  if (ownRoot !== undefined) return { root: ownRoot.value };
  if (ownAlias !== undefined) {
    if (match.path.startsWith("@")) {
      const message = 'the "alias" directive cannot be used inside the named location';
      report.emerg(ownAlias.node.name.position, message);
    }
    if (match.kind.startsWith("regex")) return { root: ownAlias.value, isFile: true };
    return { root: ownAlias.value, replaces: match.path };
  }
  const { parent } = block;
  if (parent === undefined) return undefined;
  if (parent.context !== "location") {
    const [entry] = parent.inherited(root);
    return entry && { root: entry.value };
  }
  const [around] = parent.parent!.own(location).filter((entry) => entry.block === parent);
  const { kind, path } = around!.value;
  const outer = { kind: kind === "named" ? "exact" : kind, path } as const;
  return readFolder(
    { block: parent, match: outer, named: kind === "named", written: around!.value.written },
    report,
  );
}

/** Lists of types, each under a name of its own. */
export class ContentTypes {
  readonly #lists = new Map<string, Readonly<Record<string, string>>>();
  readonly #names = new Map<string, string>();

  /** What the block's locations have of them. */
  of(block: Block): Pick<RouteInput, "contentTypes"> {
    const entries = block.inherited(types).flatMap(({ value }) => [...value]);
    const contentTypes =
      entries.length === 0 ? nginxContentTypes : this.#nameOf(Object.fromEntries(entries));
    return { contentTypes };
  }

  get input(): NonNullable<ConfigInput["contentTypes"]> {
    return Object.fromEntries(this.#lists);
  }

  #nameOf(list: Readonly<Record<string, string>>): string {
    const key = JSON.stringify(list);
    const known = this.#names.get(key);
    if (known !== undefined) return known;
    const name = this.#lists.size === 0 ? "types" : `types-${this.#lists.size + 1}`;
    this.#lists.set(name, list);
    this.#names.set(key, name);
    return name;
  }
}
