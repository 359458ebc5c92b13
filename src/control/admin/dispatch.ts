/** Finds the route of a request to the admin listener, and says what is wrong where there is none. */
import { didYouMean } from "../../config/problems/suggest.ts";
import type { Clock } from "../../transport/clock.ts";
import type { AdminSource } from "./admin-source.ts";
import { AdminError } from "./problem.ts";
import { type AdminResponse, adminProblem, decoded } from "./response.ts";
import type { AdminRoute } from "./route.ts";
import type { AdminRequest, AdminRoutes } from "./server.ts";

interface CompiledRoute {
  readonly route: AdminRoute;
  readonly pattern: RegExp;
}

/** @param routes those of the listener */
export function dispatcher(
  routes: readonly AdminRoute[],
  source: () => AdminSource,
  clock: Pick<Clock, "nowMs" | "wallMs">,
): AdminRoutes {
  const compiled = routes.map((route) => ({ route, pattern: patternOf(route.path) }));
  const respond = async (request: AdminRequest): Promise<AdminResponse> => {
    try {
      const { route, params } = find(compiled, request);
      if (route.method !== "GET" && !request.mayChange) {
        const message = "without a token the admin listener only reads: configure admin.token";
        throw new AdminError(403, "read_only", message);
      }
      const { path, query, body } = request;
      return await route.respond({ source: source(), clock, path, params, query, body });
    } catch (error) {
      if (error instanceof MethodError) return { ...problemOf(error), allow: error.allow };
      if (error instanceof AdminError) return problemOf(error);
      throw error;
    }
  };
  const isOpen = (path: string) =>
    compiled.some(({ route, pattern }) => route.isOpen === true && pattern.test(path));
  return { isOpen, respond };
}

class MethodError extends AdminError {
  readonly allow: string;

  constructor(method: string, allow: string) {
    super(405, "method_not_allowed", `${method} is not allowed here: use ${allow}`);
    this.allow = allow;
  }
}

function problemOf({ status, code, message }: AdminError): AdminResponse {
  return adminProblem(status, code, message);
}

/** Throws `AdminError`. */
function find(
  routes: readonly CompiledRoute[],
  { method, path }: Pick<AdminRequest, "method" | "path">,
): { route: AdminRoute; params: Record<string, string> } {
  const ofPath = routes.flatMap(({ route, pattern }) => {
    const match = pattern.exec(path);
    return match === null ? [] : [{ route, groups: { ...match.groups } }];
  });
  if (ofPath.length === 0) throw notFound(routes, path);
  const wanted = method === "HEAD" ? "GET" : method;
  const found = ofPath.find(({ route }) => route.method === wanted);
  if (found === undefined) {
    const allowed = ofPath.map(({ route }) =>
      route.method === "GET" ? "GET, HEAD" : route.method,
    );
    throw new MethodError(method, [...new Set(allowed)].join(", "));
  }
  const params = Object.entries(found.groups).map(([name, text]) => [name, decoded(text)]);
  return { route: found.route, params: Object.fromEntries(params) as Record<string, string> };
}

function notFound(routes: readonly CompiledRoute[], path: string): AdminError {
  const known = [...new Set(routes.map(({ route }) => route.path))];
  const list = known.length > 3 ? "/admin/openapi.json lists them" : `there is ${known.join(", ")}`;
  const hint = didYouMean(path, known) ?? list;
  return new AdminError(404, "not_found", `there is no page ${path}: ${hint}`);
}

/** A segment in braces matches any text without a slash. */
function patternOf(path: string): RegExp {
  const text = path
    .replace(/[.*+?^$()|[\]\\]/g, "\\$&")
    .replace(/\{(\w+)\}/g, (_, name: string) => `(?<${name}>[^/]+)`);
  return new RegExp(`^${text}$`);
}
