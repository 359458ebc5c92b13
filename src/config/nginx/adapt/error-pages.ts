/** `error_page` → error pages, without those that only a file could give. */
import type { Block } from "../block.ts";
import { type ErrorPage, errorPage, type RouteInput } from "../directives/location.ts";
import type { Report } from "../problems.ts";

/** @param routes all routes of the server, to see what a page leads to */
export function readErrorPages(
  block: Block,
  routes: readonly RouteInput[],
  report: Report,
): ErrorPage[] {
  return block.inherited(errorPage).flatMap(({ value: { word, ...page } }) => {
    if (!page.uri.startsWith("/") && !page.uri.startsWith("@")) return [page];
    if (page.uri.includes("$")) return [page];
    const route = findRoute(routes, page.uri.replace(/\?.*$/s, ""));
    if (route !== undefined && answers(route)) return [page];
    if (page.uri.startsWith("@")) {
      report.emerg(word.position, `could not find named location "${page.uri}"`);
      return [];
    }
    const message = `error page "${page.uri}" is a file, which is not served: the proxy's own error is sent`;
    report.notice(`error_page ${page.uri}`, word.position, message);
    return [];
  });
}

function answers({ target, steps = [] }: RouteInput): boolean {
  return target !== undefined || steps.some((step) => "return" in step || "rewrite" in step);
}

/** By nginx's precedence. */
function findRoute(routes: readonly RouteInput[], path: string): RouteInput | undefined {
  const kindOf = (route: RouteInput) => route.match.kind ?? "prefix";
  const exact = routes.find((route) => kindOf(route) === "exact" && route.match.path === path);
  if (exact !== undefined) return exact;
  const [prefix] = routes
    .filter((route) => kindOf(route).startsWith("prefix") && path.startsWith(route.match.path))
    .sort((a, b) => b.match.path.length - a.match.path.length);
  if (prefix !== undefined && kindOf(prefix) === "prefix-first") return prefix;
  const regex = routes.find((route) => {
    const kind = kindOf(route);
    if (!kind.startsWith("regex")) return false;
    return new RegExp(route.match.path, kind === "regex" ? "" : "i").test(path);
  });
  return regex ?? prefix;
}
