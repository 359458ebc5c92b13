/** One route, compiled: what it matches, what runs first, where its requests go. */
import { legRoutes } from "../../config/model-routes.ts";
import type { Config, MatchConfig, RouteConfig, TargetConfig } from "../../config/schema/schema.ts";
import type { Dialect, ResponseMerge } from "../../dialects/dialect.ts";
import { isForClients } from "../../dialects/endpoints/client-paths.ts";
import { plain } from "../../dialects/plain.ts";
import { dialectOf } from "../../dialects/registry.ts";
import { resumedResponses } from "../../dialects/resume.ts";
import type { Pool } from "../../pool/pool.ts";
import type { Clock } from "../../transport/clock.ts";
import type { RequestContext } from "../context/request-context.ts";
import { type RetryBudget, retryBudgetOf } from "../context/retry-budget.ts";
import { Access } from "./access/access.ts";
import { ConnectionLimits } from "./access/connection-limits.ts";
import type { LimitZones } from "./access/limit-zones.ts";
import { RequestLimits } from "./access/request-limits.ts";
import { ConditionalLog, type RequestLog } from "./access-log.ts";
import { type ContentTypeOf, contentTypeOf } from "./files/content-types.ts";
import { FilePaths } from "./files/file-paths.ts";
import { HeadPlan } from "./head-plan.ts";
import { JsonLog } from "./json-log.ts";
import { ModelCatalog } from "./models/model-catalog.ts";
import { ModelTable } from "./models/model-table.ts";
import { lineUnsafe, pathUnsafe, percentEncode } from "./percent.ts";
import { compileRegex } from "./regex.ts";
import type { Render } from "./render.ts";
import { ResponseRules } from "./response/response-rules.ts";
import { compileSteps, type Steps } from "./rewrite.ts";
import type { VariableScope } from "./template.ts";

export interface RouteDeps {
  readonly clock: Pick<Clock, "wallMs">;
  /** Uniform in [0, 1). */
  random(): number;
  readonly scope: VariableScope;
  readonly pools: ReadonlyMap<string, Pool>;
  /** Undefined = no route has limits. */
  readonly zones?: LimitZones | undefined;
  /** Requests are traced. */
  readonly traces: boolean;
  /** Keys of clients are for the proxy alone, also where it asks for none. */
  readonly dropsKeys: boolean;
  /** Lists of the configuration, by name. */
  readonly contentTypes: Config["contentTypes"];
  /** @param masks secrets of clients are not written */
  accessLog(file: string, format: string, masks: boolean): RequestLog;
}

/** Where a leg goes: the pool, and path with query for its engines. */
export interface Destination {
  readonly pool: Pool;
  readonly uri: string;
}

export interface ErrorPage {
  /** 0 = the status stays. */
  readonly status: number;
  readonly keepPageStatus: boolean;
  readonly uri: Render;
}

export class Route {
  readonly config: RouteConfig;
  readonly match: MatchConfig;
  /** Of the main thread; undefined = requests are forwarded. */
  readonly page: RouteConfig["page"];
  /** Undefined = it has none. */
  readonly files: FilePaths | undefined;
  readonly contentTypeOf: ContentTypeOf;
  readonly steps: Steps;
  /** Undefined = all may use it. */
  readonly access: Access | undefined;
  /** Undefined = a client may use as much of it as it likes, as of the next one. */
  readonly requestLimits: RequestLimits | undefined;
  readonly connectionLimits: ConnectionLimits | undefined;
  readonly heads: HeadPlan;
  readonly responses: ResponseRules;
  readonly dialect: Dialect;
  /** False while the engines are still being asked for their dialect: nothing can be prefilled until then. */
  readonly knowsDialect: boolean;
  readonly givesRequestId: boolean;
  /** Whether what a request is served by depends on the endpoint that it asks. */
  readonly byEndpoint: boolean;
  readonly accessLogs: readonly RequestLog[];
  /** Whether a log has the tokens of responses. */
  readonly logsTokens: boolean;
  readonly errorPages: ReadonlyMap<number, ErrorPage>;
  readonly encodePool: Pool | undefined;
  /** Path prefix for the internal routing of the encode; "" = none. */
  readonly encodeLocation: string;
  readonly prefillPool: Pool | undefined;
  /** Undefined = the request decides, or nothing is forwarded. */
  readonly targetPool: Pool | undefined;
  /** Path prefix for the internal routing of the prefill; "" = none. */
  readonly prefillLocation: string;
  /** Undefined = it has one model, or does not look. */
  readonly models: ModelTable<Route> | undefined;
  /** What clients are told of them. */
  readonly catalog: ModelCatalog | undefined;
  /** Whether the path of a request is in this route, for regular expressions only. */
  readonly matches: (context: RequestContext, path: string) => boolean;
  /**
   * The same with the path as it is: after `rewrite … break` the target's URI replaces no part of it (nginx's rule).
   */
  readonly withPathKept: Route;
  /** What becomes of a stream whose engine dies; undefined = it breaks off. */
  readonly resumed: ResponseMerge | undefined;
  /** How long a prefill may take: the route's own time-outs, and one for all of it. */
  readonly prefillTimeouts: RouteConfig & { readonly totalTimeoutMs: number };
  /** Undefined = retries have none. */
  readonly retryBudget: RetryBudget | undefined;
  readonly #destination: (context: RequestContext) => Destination | undefined;

  constructor(
    config: RouteConfig,
    deps: RouteDeps,
    retryBudget: RetryBudget | undefined = retryBudgetOf(config.retry),
  ) {
    const { scope, pools, accessLog } = deps;
    const { target } = config;
    this.config = config;
    this.retryBudget = retryBudget;
    this.match = config.match;
    this.page = config.page;
    this.prefillTimeouts = { ...config, totalTimeoutMs: config.prefillTimeoutMs };
    this.files = config.files && new FilePaths(config.files, scope);
    this.contentTypeOf = contentTypeOf(config, deps.contentTypes);
    this.steps = compileSteps(config.steps, scope);
    this.access = config.access && new Access(config.access);
    const { requestLimits, connectionLimits } = config;
    this.requestLimits = requestLimits && new RequestLimits(requestLimits, deps.zones!, scope);
    this.connectionLimits =
      connectionLimits && new ConnectionLimits(connectionLimits, deps.zones!, scope);
    const { traces, dropsKeys } = deps;
    this.heads = new HeadPlan(config.setHeaders, scope, config.byEndpoint, traces, dropsKeys);
    this.responses = new ResponseRules(config, scope);
    const dialect = dialectOf(config.dialect);
    this.knowsDialect = dialect !== undefined;
    this.dialect = dialect ?? plain;
    this.resumed = config.resume ? resumedResponses(this.dialect) : undefined;
    this.givesRequestId =
      config.requestId ??
      legRoutes(config).some((one) => (one.prefill ?? one.encode) !== undefined);
    this.byEndpoint = config.byEndpoint;
    const logs = config.accessLogs.map((log) => {
      const to = accessLog(log.file, log.format, config.byEndpoint);
      return { to, when: log.if === undefined ? undefined : scope.compile(log.if) };
    });
    this.accessLogs = logs.map(({ to, when }) => (when ? new ConditionalLog(to, when) : to));
    this.logsTokens = logs.some(({ to }) => to instanceof JsonLog);
    this.errorPages = new Map(
      config.errorPages.flatMap(({ statuses, status, keepPageStatus, uri }) => {
        const page = { status: status ?? 0, keepPageStatus, uri: scope.compile(uri) };
        return statuses.map((of) => [of, page] as const);
      }),
    );
    const { encode, prefill } = config;
    this.encodePool = encode && "pool" in encode ? pools.get(encode.pool) : undefined;
    this.encodeLocation = encode && "location" in encode ? encode.location : "";
    this.targetPool = target && "pool" in target ? pools.get(target.pool) : undefined;
    this.prefillPool = prefill && "pool" in prefill ? pools.get(prefill.pool) : undefined;
    this.prefillLocation = prefill && "location" in prefill ? prefill.location : "";
    if (config.models !== undefined) {
      const routeOf = (one: RouteConfig) => new Route(one, deps);
      this.models = new ModelTable(config, { scope, random: deps.random, routeOf });
      this.catalog = new ModelCatalog(this.models, deps.clock.wallMs());
    }
    this.matches = matcher(config.match, scope);
    this.#destination = destination(target, config.match, scope, pools);
    this.withPathKept =
      target !== undefined && "pool" in target && target.uri !== undefined
        ? new Route({ ...config, target: { pool: target.pool } }, deps, retryBudget)
        : this;
  }

  get prefills(): boolean {
    return this.prefillPool !== undefined || this.prefillLocation !== "";
  }

  get encodes(): boolean {
    return this.encodePool !== undefined || this.encodeLocation !== "";
  }

  /** Whether it leads anywhere: to engines, a page or files. */
  get responds(): boolean {
    return this.forwards || (this.page ?? this.files) !== undefined;
  }

  /** Whether it leads to engines. */
  get forwards(): boolean {
    return (this.config.target ?? this.models) !== undefined;
  }

  /** One for each of its models. */
  get legRoutes(): readonly Route[] {
    return this.models?.routes ?? [this];
  }

  /** The same without those that get no requests. @see `servingRoutes` of the configuration */
  get servingRoutes(): readonly Route[] {
    return this.models?.servingRoutes ?? [this];
  }

  /** The path as engines get it, which says what the request is for. */
  enginePath(context: RequestContext): string {
    const { target } = this.config;
    if (target === undefined || !("pool" in target) || target.uri === undefined)
      return context.path;
    return this.#destination(context)?.uri.split("?", 1)[0] ?? context.path;
  }

  /** Whether the request is for a path of the engines that clients of this route may not reach. */
  refuses(context: RequestContext): boolean {
    if (this.config.engineControl) return false;
    if (this.models !== undefined) return this.legRoutes.some((route) => route.refuses(context));
    const uri = this.#destination(context)?.uri;
    return uri !== undefined && !isForClients(uri);
  }

  /** Undefined when the target names no known pool. */
  destination(context: RequestContext): Destination | undefined {
    return this.#destination(context);
  }
}

function matcher(match: MatchConfig, scope: VariableScope): Route["matches"] {
  if (match.kind === "regex") return compileRegex(match.path, "", scope);
  if (match.kind === "regex-ignore-case") return compileRegex(match.path, "i", scope);
  return () => false;
}

function destination(
  target: TargetConfig | undefined,
  match: MatchConfig,
  scope: VariableScope,
  pools: ReadonlyMap<string, Pool>,
): (context: RequestContext) => Destination | undefined {
  if (target === undefined) return () => undefined;
  if ("url" in target) {
    const url = scope.compile(target.url);
    return (context) => {
      const [, host = "", path = ""] = /^(?:http:\/\/)?([^/?]*)(.*)$/s.exec(url(context)) ?? [];
      const pool = pools.get(host);
      if (pool === undefined || path === "") return pool && { pool, uri: requestUri(context) };
      // As is, but for what a decoded path must not bring into a request line.
      return { pool, uri: percentEncode(path.replace(/^\?/, "/?"), lineUnsafe) };
    };
  }
  const pool = pools.get(target.pool);
  if (pool === undefined) return () => undefined;
  const { uri } = target;
  if (uri === undefined) return (context) => ({ pool, uri: requestUri(context) });
  const matched =
    match.kind === "regex" || match.kind === "regex-ignore-case" ? 0 : match.path.length;
  return (context) => ({
    pool,
    uri: withQuery(uri + percentEncode(context.path.slice(matched), pathUnsafe), context.args),
  });
}

/** As the client sent it, unless steps changed it (nginx's rule). */
export function requestUri(context: RequestContext): string {
  const { head, path } = context;
  if (context.rewritten || context.args !== head.query) {
    // An engine reads the target from its first slash on, whatever a rewrite has made of it.
    const slash = path.startsWith("/") ? "" : "/";
    return withQuery(slash + percentEncode(path, pathUnsafe), context.args);
  }
  return head.target.startsWith("/") ? head.target : withQuery(head.path, head.query);
}

function withQuery(path: string, args: string): string {
  return args === "" ? path : `${path}?${percentEncode(args, lineUnsafe)}`;
}
