/**
 * What a route of the admin listener is. One table of them serves requests (`dispatch.ts`) and describes itself
 * (`openapi.ts`), so that nothing is served that is not described.
 */
import type { z } from "zod";
import type { Clock } from "../../transport/clock.ts";
import type { AdminSource } from "./admin-source.ts";
import type { AdminResponse } from "./response.ts";

/** One request, whose route is found and which has the right to what the route does. */
export interface AdminCall {
  readonly source: AdminSource;
  readonly clock: Pick<Clock, "nowMs" | "wallMs">;
  /** As asked for: several routes may share a handler. */
  readonly path: string;
  /** The parts of the path that the route names in braces, decoded. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly body: Buffer;
}

/** Parts of the documentation, in this order. */
export const routeGroups = [
  "health",
  "engines",
  "requests",
  "dashboard",
  "configuration",
  "other proxies",
] as const;

export interface AdminRoute {
  readonly group: (typeof routeGroups)[number];
  /** All but GET change something, for which the listener needs a token. HEAD is served as GET. */
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** With `{name}` for a segment that differs. */
  readonly path: string;
  /** The name of the operation, unique, in camelCase. */
  readonly id: string;
  readonly summary: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: z.ZodType;
  /** What it responds with, by status. */
  readonly responses: Readonly<Record<number, ResponseForm>>;
  /** Statuses of errors that are this route's own, besides those of every route. */
  readonly errors?: readonly number[];
  /** It says nothing of this proxy, such as the program of a page: no token is asked for. */
  readonly isOpen?: true;
  respond(call: AdminCall): AdminResponse | Promise<AdminResponse>;
}

/** A schema for JSON; a text = the content type of something else. */
export type ResponseForm = z.ZodType | string;
