/** Which files the paths of a route stand for: nginx's `root`, `alias`, `index` and `try_files`. */
import { realpathSync } from "node:fs";
import type { RouteConfig } from "../../../config/schema/schema.ts";
import type { RequestContext, RequestFiles } from "../../context/request-context.ts";
import type { Render } from "../render.ts";
import type { VariableScope } from "../template.ts";
import { fileAt } from "./file-at.ts";

type FilesConfig = NonNullable<RouteConfig["files"]>;

/** A path that is tried. */
interface Try {
  readonly path: Render;
  readonly isFolder: boolean;
  /** It may be a path of the request's own, which begins with what an alias replaces. */
  readonly mayHavePath: boolean;
}

/** What a path stands for; undefined = no file may be asked for by it. */
export type FileName = string | undefined;

export class FilePaths implements RequestFiles {
  readonly config: FilesConfig;
  readonly index: readonly Render[];
  /** What follows if nothing that is tried is there; undefined = nothing is tried. */
  readonly otherwise: Render | undefined;
  readonly #root: Render;
  readonly #tries: readonly Try[];

  constructor(config: FilesConfig, scope: VariableScope) {
    this.config = config;
    this.#root = scope.compile(config.root);
    this.index = config.index.map((name) => scope.compile(name));
    this.otherwise = config.otherwise === undefined ? undefined : scope.compile(config.otherwise);
    this.#tries = config.tries.map((text) => ({
      path: scope.compile(text.replace(/(?<=.)\/$/, "")),
      isFolder: text.endsWith("/"),
      mayHavePath: text.includes("$") && config.replaces !== "" && !config.isFile,
    }));
  }

  /** `$document_root`. */
  root(context: RequestContext): string {
    return this.#root(context);
  }

  /** `$realpath_root`: the same without symbolic links. */
  realRoot(context: RequestContext): string {
    try {
      return realpathSync(this.#root(context));
    } catch {
      return "";
    }
  }

  /** `$request_filename`. */
  nameOf(context: RequestContext): string {
    return this.fileOf(context, context.path) ?? "";
  }

  /** @param path decoded and normalized, unless a rewrite has made it */
  fileOf(context: RequestContext, path: string): FileName {
    const { isFile, replaces } = this.config;
    const root = this.#root(context);
    const rest = isFile ? "" : path.slice(replaces.length);
    return isInside(rest, root) ? root + rest : undefined;
  }

  /** The path of the first that is there, and its file; undefined = none is. */
  firstThere(
    context: RequestContext,
  ): { readonly path: string; readonly file: string } | undefined {
    const { isFile, replaces } = this.config;
    const root = this.#root(context);
    const start = context.path.slice(0, replaces.length);
    for (const { path, isFolder, mayHavePath } of this.#tries) {
      const tried = path(context);
      const rest = mayHavePath && tried.startsWith(start) ? tried.slice(start.length) : tried;
      if (!isInside(rest, root)) continue;
      const entry = fileAt(root + rest);
      if (entry === undefined || entry.isDirectory() !== isFolder) continue;
      return { path: isFile ? context.path : start + rest, file: root + rest };
    }
    return undefined;
  }
}

/** No path leaves its folder, whatever a rewrite or an alias without its final slash has made of it. */
function isInside(rest: string, root: string): boolean {
  if (rest.includes("\0")) return false;
  return !/(?:^|\/)\.\.(?:\/|$)/.test(root.endsWith("/") ? rest : rest.replace(/^[^/]*/, ""));
}
