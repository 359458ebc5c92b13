/** `server` blocks → servers. */
import type { ConfigInput } from "../../schema/schema.ts";
import type { Block, Entry } from "../directives/block.ts";
import {
  clientHeaderBufferSize,
  clientHeaderTimeout,
  ignoreInvalidHeaders,
  keepaliveRequests,
  keepaliveTimeout,
  largeClientHeaderBuffers,
  mergeSlashes,
  underscoresInHeaders,
} from "../directives/http/http.ts";
import { http2, http2MaxConcurrentStreams } from "../directives/http/http2.ts";
import type { Listen } from "../directives/http/listen.ts";
import type { RouteInput } from "../directives/http/location.ts";
import { listen, server, serverName } from "../directives/http/server.ts";
import { ssl, sslCertificate, sslRejectHandshake } from "../directives/tls/ssl.ts";
import type { Places } from "../syntax/places.ts";
import type { Report } from "../syntax/report.ts";
import { readAccess } from "./access.ts";
import { ErrorPages } from "./error-pages.ts";
import { readFiles } from "./files.ts";
import { readLimits } from "./limits.ts";
import { type FlatLocation, flattenLocations } from "./locations.ts";
import { readAccessLogs } from "./logs.ts";
import { addInternalMetrics } from "./page.ts";
import { readResponses } from "./responses.ts";
import { type RouteContext, readRoute, readSettings, readTypes } from "./route.ts";
import { nameVariants, readSteps } from "./steps.ts";

import { readServerTls } from "./tls.ts";

export type ServerInput = ConfigInput["servers"][number];

export function readServers(http: Block, context: RouteContext, places: Places): ServerInput[] {
  const listens = new Listens(context.loading.report);
  return http.own(server).map(({ node, block }, index) => {
    const path = ["servers", index];
    places.set(path, node.name.position);
    return readServer(block!, path, listens, context, places);
  });
}

function readServer(
  block: Block,
  path: readonly (string | number)[],
  listens: Listens,
  context: RouteContext,
  places: Places,
): ServerInput {
  const names = block.own(serverName).flatMap(({ value }) => value);
  const large = block.value(largeClientHeaderBuffers, { count: 4, bytes: 8192 });
  const routes = readRoutes(block, context, (index, position) => {
    places.set([...path, "routes", index], position);
  });
  const kept = block.value(keepaliveTimeout, { timeoutMs: 75_000, headerMs: undefined });
  const tls = readServerTls(block, context.loading.report);
  if (tls !== undefined) placeTls(block, [...path, "tls"], places);
  const input: ServerInput = {
    listen: listens.add(block, names),
    ...(tls && { tls }),
    names: names.length === 0 ? [""] : [...new Set(names)],
    headerTimeoutMs: block.value(clientHeaderTimeout, 60_000),
    keepAliveTimeoutMs: kept.timeoutMs,
    ...(kept.headerMs !== undefined && { keepAliveHeaderMs: kept.headerMs }),
    // nginx's time of 0 lets no connection stay.
    keepAliveRequests: kept.timeoutMs === 0 ? 1 : Math.max(block.value(keepaliveRequests, 1000), 1),
    http2StreamsMax: Math.max(block.value(http2MaxConcurrentStreams, 128), 1),
    headBytesMax: block.value(clientHeaderBufferSize, 1024) + large.count * large.bytes,
    underscoresInHeaders: block.value(underscoresInHeaders, false),
    unusualHeaders: !block.value(ignoreInvalidHeaders, true),
    mergeSlashes: block.value(mergeSlashes, true),
    steps: readSteps(block),
    ...(routes.some(({ match }) => match.path === unmatchedName) && { unmatched: unmatchedName }),
    routes,
  };
  return input;
}

/** Where faults of certificates are. */
function placeTls(block: Block, path: readonly (string | number)[], places: Places): void {
  const [entry] = [...block.inherited(sslCertificate), ...block.inherited(sslRejectHandshake)];
  if (entry !== undefined) places.set(path, entry.node.name.position);
}

function readRoutes(
  block: Block,
  context: RouteContext,
  place: (index: number, position: Block["position"]) => void,
): RouteInput[] {
  const { report } = context.loading;
  const located = readLocations(flattenLocations(block, report), context);
  const routes = located.map(({ route }) => route);
  const pages = new ErrorPages([...routes, ...slashRedirects(routes)], report);
  for (const [index, { block: inner, route }] of located.entries()) {
    place(index, inner.position);
    const errorPages = pages.of(inner);
    if (errorPages.length > 0) route.errorPages = errorPages;
  }
  const match = addInternalMetrics(block, located);
  const settings = () => ({ ...readSettings(block), accessLogs: readAccessLogs(block) });
  const metrics: RouteInput[] = match ? [{ match, page: "vllm_metrics", ...settings() }] : [];
  const redirects = slashRedirects(routes);
  const rest = readUnmatched(block, context, routes, pages);
  return [...routes, ...metrics, ...redirects, ...(rest === undefined ? [] : [rest])];
}

interface LocatedRoute {
  readonly block: Block;
  readonly route: RouteInput;
}

/** The variants of a location stand behind it. */
function readLocations(locations: readonly FlatLocation[], context: RouteContext): LocatedRoute[] {
  const names = nameVariants(locations);
  return locations.flatMap((location) => {
    const { block, match } = location;
    const route = readRoute(location, context, names);
    const variants = block.entries.flatMap(({ block: inner }): LocatedRoute[] => {
      const path = inner && names.get(inner);
      if (path === undefined) return [];
      const variant = readRoute({ ...location, block: inner! }, context);
      const own = { match: { kind: "exact", path, within: match.path }, internal: true } as const;
      return [{ block: inner!, route: { ...variant, ...own, steps: [] } }];
    });
    return [{ block, route }, ...variants];
  });
}

/** What nginx encodes in a path. */
const unsafeInPath = /[\x00-\x20"#%<>?\\^`{|}\x7f-\u{10ffff}]/gu;

/** nginx redirects `/v1` to `/v1/` if only the latter has a location. */
function slashRedirects(routes: readonly RouteInput[]): RouteInput[] {
  const placeOf = (path: string, within = "") => `${within} ${path}`;
  const taken = new Set(routes.map(({ match }) => placeOf(match.path, match.within)));
  return routes.flatMap(({ match, target, ...settings }): RouteInput[] => {
    const path = match.path.slice(0, -1);
    const redirects =
      target !== undefined &&
      (match.kind === "prefix" || match.kind === "prefix-first") &&
      match.path.endsWith("/") &&
      !path.endsWith("/") &&
      path !== "" &&
      !path.includes("$") &&
      !taken.has(placeOf(path, match.within)) &&
      !settings.internal;
    if (!redirects) return [];
    const { encode: _, prefill: __, setHeaders: ___, ...kept } = settings;
    const text = `${path.replace(unsafeInPath, encodeURIComponent)}/$is_args$args`;
    return [
      {
        ...kept,
        match: { ...match, kind: "exact", path },
        steps: [{ return: { status: 301, text } }],
      },
    ];
  });
}

const unmatchedName = "@unmatched";

/** The route whose settings hold where no location does, if there are any that matter. */
function readUnmatched(
  block: Block,
  context: RouteContext,
  routes: readonly RouteInput[],
  pages: ErrorPages,
): RouteInput | undefined {
  const isRoot = ({ match: { path, within, kind = "prefix" } }: RouteInput) =>
    path === "/" && within === undefined && kind.startsWith("prefix");
  const accessLogs = readAccessLogs(block);
  const errorPages = pages.of(block);
  const responses = readResponses(block);
  const match = { kind: "exact", path: unmatchedName } as const;
  const written = { text: "/", position: block.position };
  const { files } = readFiles({ match, named: false, written, block }, context.loading);
  const takesAll = routes.some(isRoot);
  const notable =
    ((accessLogs.length > 0 || files !== undefined) && !takesAll) ||
    errorPages.length > 0 ||
    readSteps(block).length > 0 ||
    Object.keys({ ...responses, ...readAccess(block), ...readLimits(block) }).length > 0;
  if (!notable) return undefined;
  return {
    match,
    ...(files ? { files } : { internal: true, steps: [{ return: { status: 404 } }] }),
    ...readTypes(block, context),
    ...readSettings(block),
    accessLogs,
    ...(errorPages.length > 0 && { errorPages }),
  };
}

/** The addresses of all servers: their default servers, the servers that set socket options, and the names in use. */
class Listens {
  readonly #report: Report;
  readonly #defaults = new Set<string>();
  readonly #options = new Set<string>();
  readonly #names = new Set<string>();

  constructor(report: Report) {
    this.#report = report;
  }

  add(block: Block, names: readonly string[]): ServerInput["listen"] {
    const entries = block.own(listen);
    // Of old: it makes all addresses of the server encrypted.
    const all = {
      ...(block.value(ssl, false) && { tls: true }),
      ...(block.value(http2, false) && { http2: true }),
    };
    if (entries.length === 0) {
      this.#checkNames("0.0.0.0:80", names, block);
      return [{ host: "0.0.0.0", port: 80, ...all }];
    }
    const own = new Set<string>();
    return entries.flatMap((entry) =>
      entry.value.map((value) => {
        this.#check(value, entry, own);
        this.#checkNames(value.key, names, block);
        return { ...value.config, ...all };
      }),
    );
  }

  #check({ key, config, setsOptions }: Listen, { node }: Entry, own: Set<string>): void {
    const { position } = node.args[0]!;
    if (own.has(key)) this.#report.emerg(position, `a duplicate listen ${key}`);
    own.add(key);
    if (setsOptions && this.#options.has(key)) {
      this.#report.emerg(position, `duplicate listen options for ${key}`);
    }
    if (setsOptions) this.#options.add(key);
    if (config.defaultServer && this.#defaults.has(key)) {
      this.#report.emerg(position, `a duplicate default server for ${key}`);
    }
    if (config.defaultServer) this.#defaults.add(key);
  }

  #checkNames(key: string, names: readonly string[], block: Block): void {
    for (const name of names.length === 0 ? [""] : new Set(names)) {
      const taken = `${key} ${name}`;
      if (this.#names.has(taken)) {
        const message = `conflicting server name "${name}" on ${key}, ignored`;
        this.#report.warn(block.position, message);
      }
      this.#names.add(taken);
    }
  }
}
