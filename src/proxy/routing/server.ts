/** One server: its routes by nginx's precedence, with the rewrites that run in between. */
import type { ServerConfig } from "../../config/schema/schema.ts";
import type { HeadLimits } from "../../http1/limits.ts";
import { requestFieldsMax, rewriteRoundsMax } from "../../limits.ts";
import { type Outcome, outcomes } from "../context/outcomes.ts";
import type { RequestContext } from "../context/request-context.ts";
import type { RequestLog } from "./access-log.ts";
import { compileRegex } from "./regex.ts";
import { compileSteps, type ReturnedReply, type Steps } from "./rewrite.ts";
import { Route, type RouteDeps } from "./route.ts";
import { RouteTable } from "./route-table.ts";

/** What routing leads to: a route that forwards, a reply of the configuration's, or an end. */
export type Routed =
  | { readonly route: Route; readonly response?: never; readonly outcome?: never }
  | {
      readonly route: Route | undefined;
      readonly response: ReturnedReply;
      readonly outcome?: never;
    }
  | { readonly route: Route | undefined; readonly response?: never; readonly outcome: Outcome };

export class Server {
  readonly config: ServerConfig;
  readonly #steps: Steps;
  readonly #table = new RouteTable();
  /** By `@name`. */
  readonly #named = new Map<string, Route>();
  readonly #regexNames: ((context: RequestContext, name: string) => boolean)[] = [];

  constructor(config: ServerConfig, deps: RouteDeps) {
    this.config = config;
    this.name = (config.names[0] ?? "").replace(/^\./, "");
    this.headLimits = {
      headBytes: config.headBytesMax,
      fieldCount: requestFieldsMax,
      targetBytes: config.headBytesMax,
      ...(config.unusualHeaders
        ? {}
        : { names: config.underscoresInHeaders ? "with-underscores" : "plain" }),
    };
    this.#steps = compileSteps(config.steps, deps.scope);
    this.routes = this.#compileRoutes(deps);
    this.unmatched = this.#named.get(config.unmatched ?? "");
    const first = this.unmatched ?? this.routes.find((route) => !route.config.internal);
    this.accessLogs = first?.accessLogs ?? [];
    for (const name of config.names) {
      if (name.startsWith("~")) this.#regexNames.push(compileRegex(name.slice(1), "i", deps.scope));
    }
  }

  readonly name: string;
  /** Of the requests that it is the first server to read. */
  readonly headLimits: HeadLimits;
  readonly routes: readonly Route[];
  /** What holds where no route does; undefined = nothing. */
  readonly unmatched: Route | undefined;
  /** Where requests are logged that reach no route. */
  readonly accessLogs: readonly RequestLog[];

  get hasRegexNames(): boolean {
    return this.#regexNames.length > 0;
  }

  matchesRegexName(context: RequestContext, name: string): boolean {
    return this.#regexNames.some((matches) => matches(context, name));
  }

  #compileRoutes(deps: RouteDeps): Route[] {
    const places: { readonly path: string; readonly route: Route; readonly table: RouteTable }[] =
      [];
    return this.config.routes.map((config) => {
      const { path, within } = config.match;
      const isNamed = path.startsWith("@");
      const around = places.findLast(
        (place) => place.path === within && (isNamed || place.route.match.kind !== "exact"),
      );
      if (isNamed) {
        // Within another, it takes that one's requests over, with the path as that one matches it.
        const match = around?.route.match ?? config.match;
        const route = new Route({ ...config, match }, deps);
        this.#named.set(path, route);
        return route;
      }
      const route = new Route(config, deps);
      const table = around?.table.within(around.route) ?? this.#table;
      table.add(route);
      places.push({ path, route, table });
      return route;
    });
  }

  /** Runs the rewrite phase and finds the route. @param internal the request was made by the proxy itself */
  route(context: RequestContext, internal: boolean): Routed {
    context.files = this.unmatched?.files;
    const early = this.#steps(context);
    const route = this.#find(context);
    if (typeof early === "object") return { route: this.unmatched ?? route, response: early };
    return this.#follow(context, route, internal, early === "keep-path");
  }

  /** The route by the path alone: for what is refused before any step runs. */
  routeOf(context: RequestContext): Route | undefined {
    return this.#table.find(context);
  }

  /** Goes on at a route by its `@name`, which no request's path can be. */
  routeNamed(context: RequestContext, name: string): Routed {
    return this.#follow(context, this.#named.get(name), true, false);
  }

  #follow(
    context: RequestContext,
    first: Route | undefined,
    internal: boolean,
    keepsPath: boolean,
  ): Routed {
    let route = first;
    for (let rewrites = 0; rewrites <= rewriteRoundsMax; rewrites += 1) {
      // A rewrite makes a request internal.
      if (route === undefined || (route.config.internal && !internal && !context.rewritten)) {
        return { route, outcome: outcomes.noRoute };
      }
      context.files = route.files;
      const result = route.steps(context);
      if (context.nextRoute !== "") {
        route = this.#named.get(context.nextRoute) ?? route;
        context.nextRoute = "";
        context.files = route.files;
      }
      if (typeof result === "object") return { route, response: result };
      keepsPath ||= result === "keep-path";
      if (result !== "search-again") {
        if (!route.responds) return { route, outcome: outcomes.noRoute };
        if (keepsPath) route = route.withPathKept;
        return route.refuses(context) ? { route, outcome: outcomes.engineControl } : { route };
      }
      route = this.#find(context);
    }
    return { route: undefined, outcome: outcomes.routeLoop };
  }

  #find(context: RequestContext): Route | undefined {
    return this.#table.find(context) ?? this.unmatched;
  }
}
