/** Where a route with files leads: to a file, a reply, or another route. */
import { rewriteRoundsMax } from "../../limits.ts";
import { outcomes } from "../context/outcomes.ts";
import type { RequestContext } from "../context/request-context.ts";
import { fileAt } from "../routing/files/file-at.ts";
import type { FilePaths } from "../routing/files/file-paths.ts";
import { pathUnsafe, percentEncode } from "../routing/percent.ts";
import type { ReturnedReply } from "../routing/rewrite.ts";
import type { Route } from "../routing/route.ts";
import type { Routed, Server } from "../routing/server.ts";

export type FoundFile =
  /** The route goes on to its engines. */
  | { readonly kind: "forward" }
  | { readonly kind: "file"; readonly file: string }
  | { readonly kind: "reply"; readonly reply: ReturnedReply }
  | { readonly kind: "routed"; readonly routed: Routed };

const forward: FoundFile = { kind: "forward" };

/** By nginx's `try_files`, `index` and static modules, in this order. */
export function findFile(
  context: RequestContext,
  server: Server,
  route: Route,
  files: FilePaths,
): FoundFile {
  let file = files.fileOf(context, context.path);
  if (files.otherwise !== undefined) {
    const found = files.firstThere(context);
    if (found === undefined) return otherwise(context, server, files.otherwise(context));
    context.path = found.path;
    ({ file } = found);
  }
  if (route.forwards) return forward;
  const { method, path } = context;
  if (method !== "GET" && method !== "HEAD" && method !== "POST") return reply(405);
  if (file === undefined) return reply(404);
  if (path.endsWith("/")) return findIndex(context, server, files, file);
  const entry = fileAt(file);
  if (entry === undefined) return reply(404);
  if (entry.isDirectory()) {
    const query = context.args === "" ? "" : `?${context.args}`;
    return reply(301, `${percentEncode(path, pathUnsafe)}/${query}`);
  }
  if (!entry.isFile()) return reply(404);
  return method === "POST" ? reply(405) : { kind: "file", file };
}

function reply(status: number, location?: string): FoundFile {
  return { kind: "reply", reply: { status, location } };
}

function otherwise(context: RequestContext, server: Server, target: string): FoundFile {
  if (target.startsWith("=")) return reply(Number(target.slice(1)));
  if (target.startsWith("@")) return routed(context, () => server.routeNamed(context, target));
  const question = target.indexOf("?");
  const path = question < 0 ? target : target.slice(0, question);
  return goTo(context, server, path, question < 0 ? "" : target.slice(question + 1));
}

function findIndex(
  context: RequestContext,
  server: Server,
  files: FilePaths,
  folder: string,
): FoundFile {
  for (const name of files.index) {
    const index = name(context);
    if (index.startsWith("/")) return goTo(context, server, index, context.args);
    if (fileAt(folder + index) !== undefined) {
      return goTo(context, server, context.path + index, context.args);
    }
  }
  return reply(fileAt(folder)?.isDirectory() ? 403 : 404);
}

function goTo(context: RequestContext, server: Server, path: string, args: string): FoundFile {
  return routed(context, () => {
    Object.assign(context, { path, args, rewritten: true });
    return server.route(context, true);
  });
}

function routed(context: RequestContext, route: () => Routed): FoundFile {
  context.redirects += 1;
  const isLoop = context.redirects > rewriteRoundsMax;
  const end: Routed = { route: undefined, outcome: outcomes.routeLoop };
  return { kind: "routed", routed: isLoop ? end : route() };
}
