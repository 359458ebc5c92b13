/** All known directives, and what to report about others. */
import { didYouMean } from "../../problems/suggest.ts";
import type { Context } from "../reading/context.ts";
import type { Directive } from "../reading/directive.ts";
import { accessDirectives } from "./http/access.ts";
import { contentDirectives } from "./http/content.ts";
import { httpDirectives } from "./http/http.ts";
import { limitDirectives } from "./http/limits.ts";
import { locationDirectives } from "./http/location.ts";
import { logDirectives } from "./http/log.ts";
import { mapDirectives } from "./http/map.ts";
import { otelDirectives } from "./http/otel.ts";
import { rewriteDirectives } from "./http/rewrite.ts";
import { serverDirectives } from "./http/server.ts";
import { stockDirectives } from "./http/stock.ts";
import { mainDirectives } from "./main.ts";
import { moduleDirectives } from "./modules.ts";
import { prefillDirectives } from "./proxy/prefill.ts";
import { proxyDirectives } from "./proxy/proxy.ts";
import { redirectDirectives } from "./proxy/redirects.ts";
import { responseDirectives } from "./proxy/response.ts";
import { rejectedDirectives, rejectedFamilies } from "./rejected.ts";
import { proxySslDirectives } from "./tls/proxy-ssl.ts";
import { sslDirectives } from "./tls/ssl.ts";
import { upstreamDirectives } from "./upstream/upstream.ts";

/** In the order of the documentation. */
export const allDirectives: readonly Directive[] = [
  ...mainDirectives,
  ...moduleDirectives,
  ...httpDirectives,
  ...serverDirectives,
  ...sslDirectives,
  ...locationDirectives,
  ...contentDirectives,
  ...rewriteDirectives,
  ...limitDirectives,
  ...accessDirectives,
  ...proxyDirectives,
  ...responseDirectives,
  ...redirectDirectives,
  ...proxySslDirectives,
  ...prefillDirectives,
  ...upstreamDirectives,
  ...mapDirectives,
  ...logDirectives,
  ...otelDirectives,
  ...stockDirectives,
  ...rejectedDirectives,
];

const byName = new Map<string, Directive[]>();
for (const directive of allDirectives) {
  const others = byName.get(directive.name);
  if (others === undefined) byName.set(directive.name, [directive]);
  else others.push(directive);
}

/** Several if a name has different meanings in different blocks. */
export function named(name: string): readonly Directive[] {
  return byName.get(name) ?? [];
}

export function allowedHere({ contexts }: Directive, context: Context): boolean {
  return contexts.length === 0 || contexts.includes(context);
}

/** Message and hint for a directive that is not in the table. */
export function explainUnknown(
  name: string,
  context: Context,
): [string, undefined, string | undefined] {
  const family = rejectedFamilies.find(({ part }) => part.test(name));
  if (family !== undefined) {
    return [`the "${name}" directive is not supported yet`, undefined, family.hint || undefined];
  }
  const here = allDirectives.filter((directive) => allowedHere(directive, context));
  // Of two that are equally near, one that is allowed here.
  const hint = didYouMean(name, namesOf([...here, ...allDirectives]));
  return [`unknown directive "${name}"`, undefined, hint];
}

function namesOf(directives: readonly Directive[]): string[] {
  return directives.map(({ name }) => name);
}
