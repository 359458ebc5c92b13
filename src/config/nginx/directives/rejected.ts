/** Directives of nginx that would change what a client gets or may do, and that the proxy does not have: errors. */
import { type Directive, rejected } from "../reading/directive.ts";

const noTls = "clients are answered in HTTP/1.1";
const protect = "limit access in front of the proxy";

export const rejectedDirectives: readonly Directive[] = [
  rejected("limit_except", protect),
  rejected("auth_basic", protect, ["off"]),
  rejected("auth_request", protect, ["off"]),
  rejected("auth_request_set", protect),
  rejected("stream", "only HTTP is proxied"),
  rejected("mail", "only HTTP is proxied"),
  rejected("http3", noTls, ["off"]),
  rejected("set_real_ip_from"),
  rejected("real_ip_header"),
  rejected("real_ip_recursive"),
  rejected("mirror", "", ["off"]),
  rejected("mirror_request_body"),
  rejected("stub_status", "use pd_metrics (docs/metrics.md)"),
  rejected("valid_referers"),
  rejected("autoindex", "there are no listings of folders", ["off"]),
  rejected("random_index", "there are no listings of folders", ["off"]),
  rejected("proxy_bind", "", ["off"]),
  rejected("proxy_method"),
  rejected("proxy_set_body"),
  rejected("proxy_pass_request_headers", "", ["on"]),
  rejected("proxy_pass_request_body", "", ["on"]),
  rejected("proxy_ignore_client_abort", "a client that disconnects always frees its engines", [
    "off",
  ]),
  rejected("proxy_limit_rate", "use limit_rate: engines are read as fast as clients are", ["0"]),
  rejected("proxy_cache", "", ["off"]),
  rejected("proxy_cache_purge"),
  rejected("proxy_store", "", ["off"]),
  rejected("post_action", "use an access log, or tracing"),
  rejected("empty_gif"),
  rejected("charset_map", "responses keep their encoding"),
  rejected("override_charset", "responses keep their encoding", ["off"]),
  rejected("slice", "responses are not cached"),
  rejected("early_hints"),
  rejected("proxy_add_via", "use proxy_set_header and add_header"),
  rejected("add_header_inherit", "write the headers where they hold"),
  rejected("add_trailer_inherit", "write the trailers where they hold"),
  rejected("create_full_put_path"),
  rejected("min_delete_depth"),
  rejected("health_check", "engines are checked by the requests that they get, and by pd_signals"),
  rejected("least_time", "use least_conn"),
  rejected("sticky", "use session_affinity, or hash with a key of the session"),
  rejected("state"),
  rejected("ntlm"),
];

const useProxyPass = "engines speak HTTP: use proxy_pass";

/** The rest of nginx's modules, by the names of their directives. `name` is for the documentation. */
export const rejectedFamilies: readonly {
  readonly name: string;
  readonly part: RegExp;
  readonly hint: string;
}[] = [
  { name: "*_by_lua*", part: /_by_lua/, hint: "Lua does not run here" },
  { name: "lua_*", part: /^lua_/, hint: "Lua does not run here" },
  { name: "omni_*", part: /^omni_/, hint: "use prefill and one upstream per role" },
  { name: "fastcgi_*", part: /^fastcgi_/, hint: useProxyPass },
  { name: "uwsgi_*", part: /^uwsgi_/, hint: useProxyPass },
  { name: "scgi_*", part: /^scgi_/, hint: useProxyPass },
  { name: "grpc_*", part: /^grpc_/, hint: useProxyPass },
  { name: "memcached_*", part: /^memcached_/, hint: useProxyPass },
  { name: "auth_jwt*", part: /^auth_jwt/, hint: protect },
  { name: "secure_link*", part: /^secure_link/, hint: protect },
  { name: "http3_*", part: /^http3_/, hint: noTls },
  { name: "quic_*", part: /^quic_/, hint: noTls },
  { name: "geoip*", part: /^geoip/, hint: "" },
  { name: "sub_filter*", part: /^sub_filter/, hint: "" },
  { name: "ssi*", part: /^ssi(?:_|$)/, hint: "" },
  {
    name: "add_before_body, add_after_body, addition_types",
    part: /^add_(?:before|after)_body$|^addition_types$/,
    hint: "",
  },
  {
    name: "flv, mp4*, hls*, f4f*",
    part: /^(?:flv|mp4|hls|f4f)(?:_|$)/,
    hint: "media files are not served",
  },
  { name: "tunnel_*", part: /^tunnel_/, hint: "only HTTP is proxied" },
  { name: "xml_*", part: /^xml_/, hint: "" },
  {
    name: "ancient_browser*, modern_browser*",
    part: /^(?:ancient|modern)_browser/,
    hint: "use map of $http_user_agent",
  },
  {
    name: "more_*",
    part: /^more_(?:set|clear)_/,
    hint: "use add_header, proxy_hide_header and proxy_set_header",
  },
  {
    name: "vhost_traffic_status*",
    part: /^vhost_traffic_status/,
    hint: "the proxy has metrics: pd_metrics",
  },
  { name: "modsecurity*", part: /^modsecurity/, hint: "filter requests in front of the proxy" },
  { name: "echo*", part: /^echo(?:_|$)/, hint: "use return" },
  { name: "zstd*", part: /^zstd(?:_|$)/, hint: "" },
  { name: "js_*", part: /^js_/, hint: "" },
  { name: "perl*", part: /^perl(?:_|$)/, hint: "" },
  { name: "xslt_*", part: /^xslt_/, hint: "" },
  { name: "image_filter*", part: /^image_filter/, hint: "" },
  { name: "dav_*", part: /^dav_/, hint: "" },
  { name: "userid*", part: /^userid(?:_|$)/, hint: "" },
  { name: "brotli*", part: /^brotli(?:_|$)/, hint: "" },
];
