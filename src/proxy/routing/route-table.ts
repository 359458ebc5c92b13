/** Routes by nginx's precedence, one table inside another for nested ones. */
import type { RequestContext } from "../context/request-context.ts";
import type { Route } from "./route.ts";

export class RouteTable {
  readonly #exact = new Map<string, Route>();
  /** The longest first. */
  readonly #prefixes: Route[] = [];
  /** In the order of the configuration. */
  readonly #regexes: Route[] = [];
  /** What is looked for only among the requests of a route here. */
  readonly #inner = new Map<Route, RouteTable>();

  add(route: Route): void {
    const { kind, path } = route.match;
    if (kind === "exact") this.#exact.set(path, route);
    else if (kind === "regex" || kind === "regex-ignore-case") this.#regexes.push(route);
    else {
      const index = this.#prefixes.findIndex(({ match }) => match.path.length < path.length);
      this.#prefixes.splice(index < 0 ? this.#prefixes.length : index, 0, route);
    }
  }

  /** The table of the routes within one of these. */
  within(route: Route): RouteTable {
    const known = this.#inner.get(route);
    if (known !== undefined) return known;
    const table = new RouteTable();
    this.#inner.set(route, table);
    return table;
  }

  /** Exact, then the longest prefix if it is `^~`, then expressions in order, then the longest prefix. */
  find(context: RequestContext): Route | undefined {
    const prefix = this.#prefix(context);
    return this.#first(context, prefix) ?? this.#deepest(context, prefix);
  }

  #prefix({ path }: RequestContext): Route | undefined {
    return this.#prefixes.find((route) => path.startsWith(route.match.path));
  }

  #innerOf(route: Route | undefined): RouteTable | undefined {
    return route === undefined || this.#inner.size === 0 ? undefined : this.#inner.get(route);
  }

  /** What goes before any prefix. Inside the longest prefix it goes before expressions that are outside. */
  #first(context: RequestContext, prefix: Route | undefined): Route | undefined {
    const exact = this.#exact.get(context.path);
    if (exact !== undefined) return exact;
    const found = this.#firstWithin(context, prefix);
    if (found !== undefined || prefix?.match.kind === "prefix-first") return found;
    const regex = this.#regexes.find((route) => route.matches(context, context.path));
    return this.#innerOf(regex)?.find(context) ?? regex;
  }

  #firstWithin(context: RequestContext, prefix: Route | undefined): Route | undefined {
    const inner = this.#innerOf(prefix);
    if (inner === undefined) return undefined;
    return inner.#first(context, inner.#prefix(context));
  }

  #deepest(context: RequestContext, prefix: Route | undefined): Route | undefined {
    const inner = this.#innerOf(prefix);
    if (inner === undefined) return prefix;
    return inner.#deepest(context, inner.#prefix(context)) ?? prefix;
  }
}
