/** Directives about what clients get of engines' responses, and besides. */
import { flag, reading } from "../../reading/arguments.ts";
import { anyHttp, anyHttpAndIf } from "../../reading/context.ts";
import { type Directive, honoured } from "../../reading/directive.ts";
import type { Scope } from "../../reading/scope.ts";
import type { Word } from "../../syntax/lexer.ts";
import type { RouteInput } from "../http/location.ts";

type AddedHeader = NonNullable<RouteInput["responseHeaders"]>[number];

function readAdded([name, value, always]: readonly Word[], scope: Scope): AddedHeader {
  if (always !== undefined && always.text !== "always") {
    scope.fail(`invalid parameter "${always.text}"`, always);
  }
  return {
    name: scope.headerName(name!),
    value: scope.template(value!),
    ...(always === undefined && { onErrors: false }),
  };
}

export const addHeader = honoured(
  "add_header",
  anyHttpAndIf,
  reading(2, 3, readAdded),
  "`responseHeaders`",
  { repeats: true, note: "Without `always`, `onErrors` is off, as in nginx." },
);
export const addTrailer = honoured(
  "add_trailer",
  anyHttpAndIf,
  reading(2, 3, readAdded),
  "`responseTrailers`",
  { repeats: true },
);

const headerName = reading(1, 1, ([name], scope) => scope.headerName(name!));

export const proxyHideHeader = honoured("proxy_hide_header", anyHttp, headerName, "`hideHeaders`", {
  repeats: true,
  byDefault: "`Date`, `Server`, `X-Pad`, five of `X-Accel-…`",
  note: "In place of `Server` and `Date` of engines clients get those of the proxy.",
});
export const proxyPassHeader = honoured(
  "proxy_pass_header",
  anyHttp,
  headerName,
  "takes a name out of `hideHeaders`",
  { repeats: true },
);

export const proxyInterceptErrors = honoured(
  "proxy_intercept_errors",
  anyHttp,
  flag,
  "`replaceEngineErrors`",
  { byDefault: "off" },
);
export const recursiveErrorPages = honoured(
  "recursive_error_pages",
  anyHttp,
  flag,
  "`recursiveErrorPages`",
  { byDefault: "off" },
);

export const responseDirectives: readonly Directive[] = [
  addHeader,
  addTrailer,
  proxyHideHeader,
  proxyPassHeader,
  proxyInterceptErrors,
  recursiveErrorPages,
];
