/** `error_page` → error pages, without those that are files. */
import type { Block } from "../directives/block.ts";
import { type ErrorPage, errorPage, type RouteInput } from "../directives/http/location.ts";
import type { Word } from "../syntax/lexer.ts";
import type { Report } from "../syntax/report.ts";

/** The error pages of one server, whose routes decide what a page leads to. */
export class ErrorPages {
  readonly #routes: readonly RouteInput[];
  readonly #report: Report;
  /** By path: most pages are inherited by many locations. */
  readonly #responds = new Map<string, boolean>();

  constructor(routes: readonly RouteInput[], report: Report) {
    this.#routes = routes;
    this.#report = report;
  }

  of(block: Block): ErrorPage[] {
    return block.inherited(errorPage).flatMap(({ value: { word, ...page } }) => {
      const internal = /^[/@]/.test(page.uri) && !page.uri.includes("$");
      if (!internal || this.#hasResponse(page.uri.replace(/\?.*$/s, ""))) return [page];
      this.#reportMissing(page.uri, word);
      return [];
    });
  }

  #hasResponse(path: string): boolean {
    const known = this.#responds.get(path);
    if (known !== undefined) return known;
    const route = findRoute(this.#routes, path);
    const responds = route !== undefined && hasResponse(route);
    this.#responds.set(path, responds);
    return responds;
  }

  #reportMissing(uri: string, { position }: Word): void {
    if (uri.startsWith("@")) {
      this.#report.emerg(position, `could not find named location "${uri}"`);
      return;
    }
    const message = `error page "${uri}" leads nowhere, so the proxy's own error is sent`;
    this.#report.notice(`error_page ${uri}`, position, message);
  }
}

function hasResponse({ target, files, page, steps = [] }: RouteInput): boolean {
  return (
    (target ?? files ?? page) !== undefined ||
    steps.some((step) => !("set" in step || "break" in step))
  );
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
