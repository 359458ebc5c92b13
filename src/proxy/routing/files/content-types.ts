/** Types of what the proxy itself responds with, by the endings of paths. */

import type { Config, RouteConfig } from "../../../config/schema/schema.ts";
import { nginxContentTypes } from "../../../config/values/content-types.ts";

/** Those that nginx knows without a list. */
const ofNginx: ReadonlyMap<string, string> = new Map([
  ["html", "text/html"],
  ["gif", "image/gif"],
  ["jpg", "image/jpeg"],
]);

/** Those of a small page. */
const builtIn: ReadonlyMap<string, string> = new Map([
  ...ofNginx,
  ["png", "image/png"],
  ["svg", "image/svg+xml"],
  ["ico", "image/x-icon"],
  ["css", "text/css"],
  ["js", "application/javascript"],
  ["json", "application/json"],
  ["txt", "text/plain"],
]);

/** The type for a path; "" = none is named. */
export type ContentTypeOf = (path: string) => string;

export function contentTypeOf(
  { contentTypes, textType }: RouteConfig,
  lists: Config["contentTypes"],
): ContentTypeOf {
  const own = contentTypes === undefined ? undefined : lists[contentTypes];
  const otherwise = contentTypes === nginxContentTypes ? ofNginx : builtIn;
  const types = own === undefined ? otherwise : new Map(Object.entries(own));
  return (path) => types.get(endingOf(path)) ?? textType;
}

function endingOf(path: string): string {
  const name = path.slice(path.lastIndexOf("/") + 1);
  const dot = name.lastIndexOf(".");
  // As in nginx, a name that begins with its only dot has no ending.
  return dot < 1 ? "" : name.slice(dot + 1).toLowerCase();
}
