/** Checks of one route: what it matches, where it leads, and the texts in it. */
import { defaultDialect, dialectOf } from "../../dialects/registry.ts";
import { canResume } from "../../dialects/resume.ts";
import { entryRoute, modelEntries } from "../model-routes.ts";
import type { ConfigPath } from "../problems/fault.ts";
import { didYouMean } from "../problems/suggest.ts";
import { builtInLogFormats } from "../schema/logs.ts";
import type { PrefillConfig, RouteConfig, ServerConfig } from "../schema/schema.ts";
import { parseEngineAddress } from "../values/engine-url.ts";
import { isHeaderName } from "../values/header-name.ts";
import { checkAccess, checkLimits } from "./check-access.ts";
import { checkFiles } from "./check-files.ts";
import { checkSyslog } from "./check-logs.ts";
import { checkModels } from "./check-models.ts";
import { checkResponses } from "./check-responses.ts";
import { checkSteps } from "./check-steps.ts";
import type { CheckContext } from "./context.ts";

export function checkRoute(
  context: CheckContext,
  server: ServerConfig,
  route: RouteConfig,
  path: ConfigPath,
): void {
  const { faults, texts } = context;
  checkMatch(context, server, route, path);
  checkSteps(context, server, route.steps, [...path, "steps"]);
  checkTarget(context, route, path);
  checkFiles(context, route, path);
  checkLegs(context, server, route, path);
  if (route.upgrade && route.prefill) {
    const hint =
      "a WebSocket has no prompt that is prefilled elsewhere: give it a route of its own";
    faults.emerg([...path, "upgrade"], '"upgrade" cannot be combined with "prefill"', hint);
  }
  checkModels(context, route, path, (one, at) => {
    checkTarget(context, one, at);
    checkLegs(context, server, one, at);
  });
  for (const [name, value] of Object.entries(route.setHeaders)) {
    const at = [...path, "setHeaders", name];
    if (!isHeaderName(name)) faults.emerg(at, `invalid header name "${name}"`);
    texts.template(at, value);
  }
  route.accessLogs.forEach(({ file, format, if: condition }, index) => {
    const at = [...path, "accessLogs", index];
    if (condition !== undefined) texts.template([...at, "if"], condition);
    checkSyslog(context, file, [...at, "file"]);
    const known = [...builtInLogFormats, ...Object.keys(context.config.logFormats)];
    if (!known.includes(format)) {
      faults.emerg([...at, "format"], `unknown log format "${format}"`, didYouMean(format, known));
    }
    if (file.includes("$")) {
      faults.emerg([...at, "file"], `the path of a log cannot contain variables: "${file}"`);
    }
  });
  checkAccess(context, route, path);
  checkLimits(context, route, path);
  checkResponses(context, route, path);
}

function checkMatch(
  { faults, texts }: CheckContext,
  server: ServerConfig,
  route: RouteConfig,
  path: ConfigPath,
): void {
  const { kind, path: matched, within } = route.match;
  const at = [...path, "match", "path"];
  if (kind.startsWith("regex")) texts.regex(at, matched);
  else if (!/^[/@]/.test(matched)) {
    faults.emerg(at, `the path of a route must begin with "/", not "${matched}"`);
  }
  if (within === undefined) return;
  const before = server.routes.slice(0, server.routes.indexOf(route));
  const isNamed = matched.startsWith("@");
  const places = before.filter(
    ({ match }) => !match.path.startsWith("@") && (isNamed || match.kind !== "exact"),
  );
  if (places.some(({ match }) => match.path === within)) return;
  const known = places.map(({ match }) => match.path);
  const message = `no route before this one that others can be within has the path "${within}"`;
  faults.emerg([...path, "match", "within"], message, didYouMean(within, known));
}

function checkTarget(context: CheckContext, route: RouteConfig, path: ConfigPath): void {
  const { faults, texts } = context;
  const { target, page } = route;
  if (page !== undefined && target !== undefined) {
    faults.emerg([...path, "page"], "a route with a page has no target: the proxy itself responds");
  }
  if (target === undefined) {
    if (route.prefill !== undefined) {
      faults.emerg([...path, "prefill"], "a route with a prefill needs a target: the decode pool");
    } else if (route.encode !== undefined) {
      faults.emerg([...path, "encode"], "a route with an encode needs a target");
    } else if (
      (page ?? route.models ?? route.files) === undefined &&
      !route.steps.some((step) => !("set" in step || "break" in step))
    ) {
      faults.warn(path, "this route has no target and no return: requests get 404");
    }
    return;
  }
  if ("pool" in target) {
    checkPool(context, target.pool, [...path, "target", "pool"]);
    return;
  }
  const at = [...path, "target", "url"];
  texts.template(at, target.url);
  const match = /^http:\/\/(unix:[^:]*:?|[^/?#]*)/i.exec(target.url);
  if (match === null) {
    const isTls = /^https:/i.test(target.url);
    const hint = isTls ? "https:// stands before the engines of a pool" : undefined;
    faults.emerg(at, `invalid URL "${target.url}": it must begin with http://`, hint);
    return;
  }
  const authority = match[1]!;
  if (authority.includes("$") || Object.hasOwn(context.config.pools, authority)) return;
  const parsed = parseEngineAddress(authority);
  if ("problem" in parsed) faults.emerg(at, `invalid host in "${target.url}": ${parsed.problem}`);
}

function checkPool({ config, faults }: CheckContext, name: string, path: ConfigPath): void {
  if (Object.hasOwn(config.pools, name)) return;
  const known = Object.keys(config.pools);
  const hint =
    didYouMean(name, known) ??
    (known.length === 0 ? "there are no pools" : `pools: ${known.slice(0, 10).join(", ")}`);
  faults.emerg(path, `unknown pool "${name}"`, hint);
}

/** Those before the target. */
function checkLegs(
  context: CheckContext,
  server: ServerConfig,
  route: RouteConfig,
  path: ConfigPath,
): void {
  const { prefill, encode, dialect } = route;
  checkResume(context, route, path);
  if (encode !== undefined) {
    checkInternal(context, server, encode, "encode", [...path, "encode"]);
  }
  if (prefill === undefined) return;
  if (dialectOf(dialect)?.servesWhole) {
    const hint = "remove the prefill, or name the engines' dialect";
    context.faults.emerg([...path, "prefill"], `the dialect "${dialect}" has no prefill`, hint);
  }
  checkInternal(context, server, prefill, "prefill", [...path, "prefill"]);
}

/**
 * A fleet of another dialect serves all requests with 200, and computes each prompt twice: said once, at the first
 * route that names none.
 */
export function warnOfDefaultDialect({ config, input, faults }: CheckContext): void {
  for (const [server, { routes = [] }] of (input?.servers ?? []).entries()) {
    const index = routes.findIndex(
      ({ dialect }, at) =>
        dialect === undefined && assumesDialect(config.servers[server]!.routes[at]!),
    );
    if (index < 0) continue;
    const route = config.servers[server]!.routes[index]!;
    // An nginx.conf of the original means the engines that the original knows.
    const level = route.byEndpoint ? "warn" : "notice";
    faults[level](
      ["servers", server, "routes", index, route.prefill === undefined ? "models" : "prefill"],
      `no dialect is named, so "${defaultDialect}" is assumed: ` +
        "if the engines transfer KV caches by another, each prompt is computed twice",
      'name it with "dialect" (nginx.conf: "pd_dialect", flags: "--dialect"); "auto" asks the engines',
    );
    return;
  }
}

/** @param route that names none itself */
function assumesDialect(route: RouteConfig): boolean {
  if (route.models === undefined) return route.prefill !== undefined;
  return modelEntries(route).some(
    (entry) => entry.dialect === undefined && entryRoute(route, entry).prefill !== undefined,
  );
}

function checkResume(
  { faults }: CheckContext,
  { resume, dialect: name }: RouteConfig,
  path: ConfigPath,
): void {
  const dialect = resume ? dialectOf(name) : undefined;
  if (dialect === undefined || canResume(dialect)) return;
  const message = `responses of the dialect "${name}" cannot be continued`;
  faults.emerg([...path, "resume"], message, "set resume to false");
}

/** Checks where a leg before the target goes. */
function checkInternal(
  context: CheckContext,
  server: ServerConfig,
  place: PrefillConfig,
  leg: "encode" | "prefill",
  path: ConfigPath,
): void {
  if ("pool" in place) {
    checkPool(context, place.pool, [...path, "pool"]);
    return;
  }
  const { location } = place;
  const prefixes = server.routes.filter(({ match }) => !match.kind.startsWith("regex"));
  const routed =
    // A regular expression may match the location followed by the request's own path.
    prefixes.length < server.routes.length ||
    server.steps.length > 0 ||
    prefixes.some(
      ({ match }) => location.startsWith(match.path) || match.path.startsWith(location),
    );
  if (!routed) {
    const paths = prefixes.map(({ match }) => match.path);
    context.faults.emerg(
      [...path, "location"],
      `no route matches the ${leg} location "${location}"`,
      didYouMean(location, paths),
    );
  }
}
