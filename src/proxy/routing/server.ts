/** One server: its routes by nginx's precedence, with the rewrites that run in between. */
import type { ServerConfig } from "../../config/schema/schema.ts";
import type { HeadLimits } from "../../http1/limits.ts";
import { requestFieldsMax, rewriteRoundsMax } from "../../limits.ts";
import { type Outcome, outcomes } from "../context/outcomes.ts";
import type { RequestContext } from "../context/request-context.ts";
import type { RequestLog } from "./access-log.ts";
import { compileRegex, compileSteps, type ReturnedReply, type Steps } from "./rewrite.ts";
import { Route, type RouteDeps } from "./route.ts";

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
  readonly #exact = new Map<string, Route>();
  readonly #prefixes: Route[] = [];
  readonly #regexes: Route[] = [];
  readonly #regexNames: ((context: RequestContext, name: string) => boolean)[] = [];

  constructor(config: ServerConfig, deps: RouteDeps) {
    this.config = config;
    this.name = (config.names[0] ?? "").replace(/^\./, "");
    this.headLimits = {
      headBytes: config.headBytesMax,
      fieldCount: requestFieldsMax,
      targetBytes: config.headBytesMax,
      ignoresUnderscores: !config.underscoresInHeaders,
    };
    this.#steps = compileSteps(config.steps, deps.scope);
    for (const routeConfig of config.routes) {
      const route = new Route(routeConfig, deps);
      const { kind, path } = route.match;
      if (kind === "exact") this.#exact.set(path, route);
      else if (kind === "regex" || kind === "regex-ignore-case") this.#regexes.push(route);
      else this.#prefixes.push(route);
    }
    this.routes = [...this.#prefixes, ...this.#exact.values(), ...this.#regexes];
    this.accessLogs = this.routes.find((route) => !route.config.internal)?.accessLogs ?? [];
    this.#prefixes.sort((a, b) => b.match.path.length - a.match.path.length);
    for (const name of config.names) {
      if (name.startsWith("~")) this.#regexNames.push(compileRegex(name.slice(1), "i", deps.scope));
    }
  }

  readonly name: string;
  /** Of the requests that it is the first server to read. */
  readonly headLimits: HeadLimits;
  readonly routes: readonly Route[];
  /** Where requests are logged that reach no route. */
  readonly accessLogs: readonly RequestLog[];

  get hasRegexNames(): boolean {
    return this.#regexNames.length > 0;
  }

  matchesRegexName(context: RequestContext, name: string): boolean {
    return this.#regexNames.some((matches) => matches(context, name));
  }

  /** Runs the rewrite phase and finds the route. @param internal the request was made by the proxy itself */
  route(context: RequestContext, internal: boolean): Routed {
    const early = this.#steps(context);
    const route = this.#find(context);
    if (typeof early === "object") return { route, response: early };
    return this.#follow(context, route, internal, early === "keep-path");
  }

  /** Goes on at a route by its `@name`, which no request's path can be. */
  routeNamed(context: RequestContext, name: string): Routed {
    return this.#follow(context, this.#exact.get(name), true, false);
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
      const result = route.steps(context);
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

  /** Exact, then the longest prefix if it is `^~`, then expressions in order, then the longest prefix. */
  #find(context: RequestContext): Route | undefined {
    const { path } = context;
    const exact = this.#exact.get(path);
    if (exact !== undefined) return exact;
    const prefix = this.#prefixes.find((route) => path.startsWith(route.match.path));
    if (prefix?.match.kind === "prefix-first") return prefix;
    return this.#regexes.find((route) => route.matches(context, path)) ?? prefix;
  }
}
