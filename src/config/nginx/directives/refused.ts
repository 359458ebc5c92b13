/** Directives of nginx that would change what a client gets or may do, and that are not built: an error, never ignored. */
import { type Directive, refused } from "../reading/directive.ts";

const noTls = "end TLS in front of the proxy";
const protect = "limit access in front of the proxy";

export const refusedDirectives: readonly Directive[] = [
  refused("if", "use map and variables instead"),
  refused("try_files", "files are not served"),
  refused("limit_except", protect),
  refused("allow", protect, ["all"]),
  refused("deny", protect),
  refused("auth_basic", protect, ["off"]),
  refused("auth_request", protect, ["off"]),
  refused("auth_request_set", protect),
  refused("limit_req", protect),
  refused("limit_req_zone", protect),
  refused("limit_conn", "use max_conns of server"),
  refused("limit_conn_zone", "use max_conns of server"),
  refused("limit_rate", "", ["0"]),
  refused("add_header"),
  refused("add_trailer"),
  refused("expires", "", ["off"]),
  refused("stream", "only HTTP is proxied"),
  refused("mail", "only HTTP is proxied"),
  refused("geo", "use map"),
  refused("split_clients", "use weight of server"),
  refused("ssl", noTls, ["off"]),
  refused("ssl_certificate", noTls),
  refused("ssl_certificate_key", noTls),
  refused("http2", noTls, ["off"]),
  refused("http3", noTls, ["off"]),
  refused("set_real_ip_from"),
  refused("real_ip_header"),
  refused("real_ip_recursive"),
  refused("mirror", "", ["off"]),
  refused("mirror_request_body"),
  refused("stub_status"),
  refused("valid_referers"),
  refused("random_index", "files are not served", ["off"]),
  refused("proxy_bind", "", ["off"]),
  refused("proxy_method"),
  refused("proxy_set_body"),
  refused("proxy_pass_request_headers", "", ["on"]),
  refused("proxy_pass_request_body", "", ["on"]),
  refused("proxy_hide_header"),
  refused("proxy_intercept_errors", "", ["off"]),
  refused("proxy_ignore_client_abort", "a client that goes away frees its engines", ["off"]),
  refused("proxy_limit_rate", "", ["0"]),
  refused("proxy_cache", "", ["off"]),
  refused("proxy_cache_purge"),
  refused("proxy_store", "", ["off"]),
  refused("least_time", "use least_conn"),
  refused("sticky", "use hash with a key that sessions share"),
  refused("state"),
  refused("ntlm"),
];

const useProxyPass = "engines speak HTTP: use proxy_pass";

/** The rest of nginx's modules, by how their directives are named. `name` is for the documentation. */
export const refusedFamilies: readonly {
  readonly name: string;
  readonly part: RegExp;
  readonly hint: string;
}[] = [
  { name: "*_by_lua*", part: /_by_lua/, hint: "Lua does not run here" },
  { name: "lua_*", part: /^lua_/, hint: "Lua does not run here" },
  { name: "ssl_*", part: /^ssl_/, hint: noTls },
  { name: "proxy_ssl_*", part: /^proxy_ssl_/, hint: "engines are reached over http" },
  { name: "omni_*", part: /^omni_/, hint: "use prefill, with one upstream per role" },
  { name: "fastcgi_*", part: /^fastcgi_/, hint: useProxyPass },
  { name: "uwsgi_*", part: /^uwsgi_/, hint: useProxyPass },
  { name: "scgi_*", part: /^scgi_/, hint: useProxyPass },
  { name: "grpc_*", part: /^grpc_/, hint: useProxyPass },
  { name: "memcached_*", part: /^memcached_/, hint: useProxyPass },
  { name: "auth_jwt*", part: /^auth_jwt/, hint: protect },
  { name: "secure_link*", part: /^secure_link/, hint: protect },
  { name: "http2_*", part: /^http2_/, hint: noTls },
  { name: "http3_*", part: /^http3_/, hint: noTls },
  { name: "quic_*", part: /^quic_/, hint: noTls },
  { name: "geoip*", part: /^geoip/, hint: "" },
  { name: "sub_filter*", part: /^sub_filter/, hint: "" },
  { name: "ssi*", part: /^ssi(?:_|$)/, hint: "" },
  { name: "js_*", part: /^js_/, hint: "" },
  { name: "perl*", part: /^perl(?:_|$)/, hint: "" },
  { name: "xslt_*", part: /^xslt_/, hint: "" },
  { name: "image_filter*", part: /^image_filter/, hint: "" },
  { name: "dav_*", part: /^dav_/, hint: "" },
  { name: "userid*", part: /^userid(?:_|$)/, hint: "" },
  { name: "brotli*", part: /^brotli(?:_|$)/, hint: "" },
];
