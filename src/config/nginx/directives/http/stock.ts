/** Directives of nginx's usual modules that make no difference to a proxy for inference. */
import { flag, many, number, oneOf, size, time, words } from "../../reading/arguments.ts";
import { anyHttp, anyHttpAndIf, httpAndServer } from "../../reading/context.ts";
import { type Directive, ignored } from "../../reading/directive.ts";

const uncompressed = "responses are passed on as engines send them";

function allOf(
  because: string,
  contexts: Directive["contexts"],
  entries: Readonly<Record<string, Directive["args"]>>,
): Directive[] {
  return Object.entries(entries).map(([name, args]) =>
    ignored(name, contexts, args, because, { repeats: true }),
  );
}

export const stockDirectives: readonly Directive[] = [
  ...allOf(uncompressed, anyHttpAndIf, { gzip: flag }),
  ...allOf(uncompressed, anyHttp, {
    gzip_buffers: words(2),
    gzip_comp_level: number,
    gzip_disable: words(1, many),
    gzip_http_version: oneOf("1.0", "1.1"),
    gzip_min_length: number,
    gzip_proxied: words(1, many),
    gzip_static: oneOf("off", "on", "always"),
    gzip_types: words(1, many),
    gzip_vary: flag,
    gunzip: flag,
    gunzip_buffers: words(2),
    gzip_hash: size,
    gzip_window: size,
    gzip_no_buffer: flag,
    postpone_gzipping: size,
  }),
  ...allOf("Lua does not run here", ["http"], {
    lua_shared_dict: words(2),
    lua_package_path: words(1),
    lua_package_cpath: words(1),
    lua_code_cache: flag,
    lua_socket_log_errors: flag,
  }),
  ...allOf("old browsers are treated like others", anyHttp, {
    msie_padding: flag,
    msie_refresh: flag,
  }),
  ...allOf("tables grow as needed", anyHttp, {
    referer_hash_bucket_size: number,
    referer_hash_max_size: number,
  }),
  ...allOf("what a body takes is bounded by client_max_body_size", anyHttp, {
    client_body_early_read: flag,
    degrade: oneOf("off", "204", "444"),
  }),
  ...allOf("what a body takes is bounded by client_max_body_size", ["http"], {
    degradation: words(1),
  }),
  ...allOf("connections have one time-out: keepalive_timeout", anyHttp, {
    keepalive_min_timeout: time,
  }),
  ...allOf("heads have 256 lines at most", httpAndServer, { max_headers: number }),
  ...allOf("trailers of engines are passed on", anyHttp, { proxy_pass_trailers: flag }),
  ...allOf("the operating system and the runtime decide it", anyHttp, {
    proxy_socket_rcvbuf: size,
    proxy_socket_sndbuf: size,
  }),
  ...allOf("there are no passwords", anyHttp, {
    auth_basic_user_file: words(1),
    auth_delay: time,
  }),
];
