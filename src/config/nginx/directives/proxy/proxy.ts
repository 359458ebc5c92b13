/** Directives about forwarding requests to engines. */
import type { RetryCondition } from "../../../schema/schema.ts";
import {
  buffers,
  flag,
  many,
  number,
  offset,
  oneOf,
  reading,
  size,
  someOf,
  time,
  words,
} from "../../reading/arguments.ts";
import { anyHttp } from "../../reading/context.ts";
import { type Directive, honoured, ignored } from "../../reading/directive.ts";

export const proxyPass = honoured(
  "proxy_pass",
  ["location", "if in location"],
  reading(1, 1, ([word], scope) => {
    scope.template(word!);
    if (!/^(?:https?:\/\/|.*\$)/is.test(word!.text)) scope.fail("invalid URL prefix", word);
    return word!;
  }),
  "`target`",
  {
    note:
      "An upstream or an address, with or without a path and variables. An address that is no upstream's name " +
      "becomes a pool of one engine. A host that contains a variable must be an upstream's name.",
  },
);

export const proxySetHeader = honoured(
  "proxy_set_header",
  anyHttp,
  reading(2, 2, ([name, value], scope) => ({ name: name!, value: scope.template(value!) })),
  "`setHeaders`",
  {
    repeats: true,
    byDefault: "`Host $proxy_host`",
    note:
      "`Upgrade` together with `Connection` is `upgrade: true`: it lets clients change to WebSocket. Other headers " +
      "that the proxy sets itself, such as `Content-Length`, have no effect.",
  },
);

export const proxyConnectTimeout = honoured(
  "proxy_connect_timeout",
  anyHttp,
  time,
  "`connectTimeoutMs`",
  { byDefault: "60s" },
);
export const proxySendTimeout = honoured("proxy_send_timeout", anyHttp, time, "`sendTimeoutMs`", {
  byDefault: "60s",
});
export const proxyReadTimeout = honoured("proxy_read_timeout", anyHttp, time, "`readTimeoutMs`", {
  byDefault: "60s",
});

const conditions = [
  "error",
  "timeout",
  "invalid_header",
  "non_idempotent",
  "http_500",
  "http_502",
  "http_503",
  "http_504",
  "http_403",
  "http_404",
  "http_429",
  "updating",
  "off",
] as const;

const readConditions = someOf(...conditions);

export const proxyNextUpstream = honoured(
  "proxy_next_upstream",
  anyHttp,
  reading(1, many, (args, scope): RetryCondition[] => {
    const given = new Set(readConditions.read(args, scope));
    // It concerns caches, which there are none of; nginx accepts it.
    given.delete("updating");
    return given.has("off") ? ["off"] : ([...given] as RetryCondition[]);
  }),
  "`retry.on`",
  { byDefault: "`error timeout`" },
);
export const proxyNextUpstreamTries = honoured(
  "proxy_next_upstream_tries",
  anyHttp,
  number,
  "`retry.tries`",
  { byDefault: "0: each engine once" },
);
export const proxyNextUpstreamTimeout = honoured(
  "proxy_next_upstream_timeout",
  anyHttp,
  time,
  "`retry.timeoutMs`",
  { byDefault: "0: no limit" },
);

const streaming = "responses are sent as they arrive";
const noCache = "responses are not cached";
const passedOn = "headers of engines are passed on unchanged";

export const proxyDirectives: readonly Directive[] = [
  proxyPass,
  proxySetHeader,
  proxyConnectTimeout,
  proxySendTimeout,
  proxyReadTimeout,
  proxyNextUpstream,
  proxyNextUpstreamTries,
  proxyNextUpstreamTimeout,
  ignored(
    "proxy_http_version",
    anyHttp,
    oneOf("1.0", "1.1"),
    "engines get HTTP/1.1 requests on connections that are reused",
  ),
  ignored("proxy_buffering", anyHttp, flag, streaming),
  ignored("proxy_buffer_size", anyHttp, size, streaming),
  ignored("proxy_buffers", anyHttp, buffers, streaming),
  ignored("proxy_busy_buffers_size", anyHttp, size, streaming),
  ignored("proxy_max_temp_file_size", anyHttp, offset, streaming),
  ignored("proxy_temp_file_write_size", anyHttp, size, streaming),
  ignored("proxy_temp_path", anyHttp, words(1, 4), streaming),
  ignored("proxy_request_buffering", anyHttp, flag, "request bodies stay in memory"),
  ignored("proxy_headers_hash_bucket_size", anyHttp, number, "tables grow as needed"),
  ignored("proxy_headers_hash_max_size", anyHttp, number, "tables grow as needed"),
  ignored("proxy_socket_keepalive", anyHttp, flag, "timeouts detect dead engines"),
  ignored("proxy_send_lowat", anyHttp, size, "the operating system and the runtime decide it"),
  ignored("proxy_ignore_headers", anyHttp, words(1, many), passedOn),
  ignored("proxy_cache_path", ["http"], words(2, many), noCache, { repeats: true }),
  ignored("proxy_cache_key", anyHttp, words(1), noCache),
  ignored("proxy_cache_valid", anyHttp, words(1, many), noCache, { repeats: true }),
  ignored("proxy_cache_bypass", anyHttp, words(1, many), noCache),
  ignored("proxy_no_cache", anyHttp, words(1, many), noCache),
  ignored("proxy_cache_use_stale", anyHttp, words(1, many), noCache),
  ignored("proxy_cache_background_update", anyHttp, flag, noCache),
  ignored("proxy_cache_convert_head", anyHttp, flag, noCache),
  ignored("proxy_cache_lock", anyHttp, flag, noCache),
  ignored("proxy_cache_lock_age", anyHttp, time, noCache),
  ignored("proxy_cache_lock_timeout", anyHttp, time, noCache),
  ignored("proxy_cache_max_range_offset", anyHttp, offset, noCache),
  ignored("proxy_cache_methods", anyHttp, words(1, many), noCache),
  ignored("proxy_cache_min_uses", anyHttp, number, noCache),
  ignored("proxy_cache_revalidate", anyHttp, flag, noCache),
  ignored("proxy_force_ranges", anyHttp, flag, noCache),
  ignored("proxy_store_access", anyHttp, words(1, 3), noCache),
];
