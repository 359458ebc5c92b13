/** What clients get of engines' responses, and besides. */
import type { Block } from "../directives/block.ts";
import type { RouteInput } from "../directives/http/location.ts";
import {
  addHeader,
  addTrailer,
  proxyHideHeader,
  proxyInterceptErrors,
  proxyPassHeader,
  recursiveErrorPages,
} from "../directives/proxy/response.ts";

import { readContent } from "./content.ts";
import { readRedirects } from "./redirects.ts";

/** What nginx hides of engines' heads. */
const hiddenByDefault = [
  "Date",
  "Server",
  "X-Pad",
  "X-Accel-Expires",
  "X-Accel-Redirect",
  "X-Accel-Limit-Rate",
  "X-Accel-Buffering",
  "X-Accel-Charset",
];

/** Of every response, also of those that the proxy itself makes. */
export function readResponses(block: Block): Partial<RouteInput> {
  const headers = block.inherited(addHeader).map(({ value }) => value);
  const trailers = block.inherited(addTrailer).map(({ value }) => value);
  return {
    ...(headers.length > 0 && { responseHeaders: headers }),
    ...(trailers.length > 0 && { responseTrailers: trailers }),
    ...readContent(block),
    ...(block.value(recursiveErrorPages, false) && { recursiveErrorPages: true }),
  };
}

/** Of responses of engines. */
export function readEngineResponses(block: Block): Partial<RouteInput> {
  return {
    hideHeaders: readHidden(block),
    ...readRedirects(block),
    ...(block.value(proxyInterceptErrors, false) && { replaceEngineErrors: true }),
  };
}

/** What is passed is not hidden, whoever hides it. */
function readHidden(block: Block): string[] {
  const names = [...hiddenByDefault, ...block.inherited(proxyHideHeader).map(({ value }) => value)];
  const passed = new Set(block.inherited(proxyPassHeader).map(({ value }) => value.toLowerCase()));
  const hidden = new Map(names.map((name) => [name.toLowerCase(), name]));
  return [...hidden].flatMap(([key, name]) => (passed.has(key) ? [] : [name]));
}
