/** `proxy_pass` → target, by nginx's rules for its URI part. */
import { didYouMean } from "../../problems/suggest.ts";
import type { Entry } from "../directives/block.ts";
import type { RouteInput } from "../directives/http/location.ts";
import { proxyPass } from "../directives/proxy/proxy.ts";
import { readAddress } from "../directives/upstream/upstream.ts";
import { type Loading, Scope } from "../reading/scope.ts";
import type { Word } from "../syntax/lexer.ts";
import type { FlatLocation } from "./locations.ts";
import type { Pools } from "./pools.ts";
import { type PoolTlsInput, readPoolTls } from "./tls.ts";

type Target = NonNullable<RouteInput["target"]>;

export interface Pass {
  readonly target: Target;
  /** The `Host` that engines get unless the configuration says otherwise. Template. */
  readonly host: string;
}

/** @throws DirectiveError */
export function readProxyPass(
  { node, value: word }: Entry<Word>,
  { match, named, block }: FlatLocation,
  pools: Pools,
  loading: Loading,
): Pass {
  const scope = new Scope(node, "location", loading);
  const isTls = /^https:/i.test(word.text);
  const tlsOf = isTls && ((host?: string) => readPoolTls(block, host, loading.report));
  if (word.text.includes("$")) return readTemplate(word, scope, pools, tlsOf);
  const isConditional = block.context === "if in location" && block.has(proxyPass);
  const { authority, uri } = splitUrl(word.text.replace(/^https?:\/\//i, ""));
  if (uri !== "" && (named || isConditional || match.kind.startsWith("regex"))) {
    scope.fail(
      '"proxy_pass" cannot have URI part in location given by regular expression, ' +
        'or inside named location, or inside "if" statement, or inside "limit_except" block',
      word,
      `remove "${uri}", or use rewrite`,
    );
  }
  const { pool, host } = usePool(authority, word, scope, pools, tlsOf);
  const path = uri.startsWith("?") ? `/${uri}` : uri;
  return { target: path === "" ? { pool } : { pool, uri: path }, host };
}

function splitUrl(rest: string): { authority: string; uri: string } {
  const unix = /^(unix:[^:]*):?(.*)$/s.exec(rest);
  if (unix !== null) return { authority: unix[1]!, uri: unix[2]! };
  const at = rest.search(/[/?]/);
  if (at < 0) return { authority: rest, uri: "" };
  return { authority: rest.slice(0, at), uri: rest.slice(at) };
}

/** The pool of a host: that of an upstream, or one of its own. */
function usePool(
  authority: string,
  word: Word,
  scope: Scope,
  pools: Pools,
  tlsOf: TlsOf | false,
): { pool: string; host: string } {
  const name = pools.upstreamNamed(authority);
  if (name !== undefined) {
    const pool = pools.variant(name, tlsOf === false ? undefined : tlsOf(name));
    return { pool, host: pool === name ? "$proxy_host" : name };
  }
  const [, host, port] = /^(.*):(\d+)$/s.exec(authority) ?? [];
  if (host !== undefined && pools.upstreamNamed(host) !== undefined) {
    scope.fail(`upstream "${host}" may not have port ${port}`, word);
  }
  const isTls = tlsOf !== false;
  const hasPort = /:\d+$/.test(authority) || !isTls || authority.startsWith("unix:");
  const url = readAddress(hasPort ? authority : `${authority}:443`, word, scope);
  const tls = isTls ? tlsOf() : undefined;
  if (url.startsWith("unix:")) {
    pools.addAddress(url, url);
    return { pool: pools.variant(url, tls), host: "localhost" };
  }
  warnOfSlip(authority, word, scope, pools);
  // nginx leaves the default port out of $proxy_host.
  const address = authority.replace(isTls ? /:0*443$/ : /:0*80$/, "");
  pools.addAddress(address, url);
  const pool = pools.variant(address, tls);
  return { pool, host: pool === address ? "$proxy_host" : address };
}

/** @param host that certificates must be for, if it is not that of each engine */
type TlsOf = (host?: string) => PoolTlsInput;

/** A name without dot and port is more often a misspelt upstream than a host. */
function warnOfSlip(authority: string, word: Word, scope: Scope, pools: Pools): void {
  if (/[.:[]/.test(authority) || authority === "localhost") return;
  const hint = didYouMean(authority, pools.upstreamNames);
  if (hint === undefined) return;
  const message = `"${authority}" is used as a host: no upstream has this name`;
  scope.loading.report.warn(word.position, message, hint);
}

function readTemplate(word: Word, scope: Scope, pools: Pools, tlsOf: TlsOf | false): Pass {
  const text = word.text.replace(/^https:/i, "http:");
  if (!/^http:\/\//i.test(text)) {
    scope.fail("invalid URL prefix", word, 'begin a "proxy_pass" with variables with http://');
  }
  if (/^http:\/\/unix:/i.test(text)) {
    scope.fail("variables after a unix socket are not supported yet", word);
  }
  const [, authority = "", next = ""] = /^http:\/\/([^/?$]*)(.?)/is.exec(text) ?? [];
  const rest = text.slice("http://".length + authority.length);
  // In `http://engines_$role` the host goes on, in `http://engines$request_uri` the path begins.
  const hostEnds =
    next !== "$" ||
    /:\d+$/.test(authority) ||
    pools.upstreamNamed(authority) !== undefined ||
    /^\$\{?(?:document_|request_)?uri\b/.test(rest);
  if (authority === "" || !hostEnds) {
    if (tlsOf !== false) {
      const hint = "name an upstream or a host after https://, and variables behind it";
      scope.fail("variables in the host are not supported with https", word, hint);
    }
    return { target: { url: `http://${authority}${rest}` }, host: "$proxy_host" };
  }
  const { pool, host } = usePool(authority, word, scope, pools, tlsOf);
  return { target: { url: `http://${pool}${rest}` }, host };
}
