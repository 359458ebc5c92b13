/** Directives about clients' connections, heads and bodies. */
import {
  buffers,
  flag,
  invalidValue,
  number,
  offset,
  oneOf,
  reading,
  readTime,
  size,
  someOf,
  time,
  words,
} from "../../reading/arguments.ts";
import { anyHttp, httpAndServer } from "../../reading/context.ts";
import { type Directive, honoured, ignored } from "../../reading/directive.ts";
import { parseTime } from "../../reading/units.ts";

const perServer = "It has no effect in a location: connections are a server's.";

export const clientHeaderTimeout = honoured(
  "client_header_timeout",
  httpAndServer,
  time,
  "`headerTimeoutMs`",
  { byDefault: "60s" },
);
export const clientHeaderBufferSize = honoured(
  "client_header_buffer_size",
  httpAndServer,
  size,
  "a part of `headBytesMax`",
  { byDefault: "1k" },
);
export const largeClientHeaderBuffers = honoured(
  "large_client_header_buffers",
  httpAndServer,
  buffers,
  "the other part of `headBytesMax`",
  {
    byDefault: "4 8k",
    note: "`headBytesMax` is number × size + `client_header_buffer_size`, so every head that nginx accepts fits.",
  },
);
interface KeepAlive {
  readonly timeoutMs: number;
  /** Of the `Keep-Alive` header; undefined = there is none. */
  readonly headerMs: number | undefined;
}

export const keepaliveTimeout = honoured(
  "keepalive_timeout",
  anyHttp,
  reading(
    1,
    2,
    ([timeout, header], scope): KeepAlive => ({
      timeoutMs: readTime(timeout!, scope),
      headerMs: header && (parseTime(header.text, "seconds") ?? invalidValue(header, scope)),
    }),
  ),
  "`keepAliveTimeoutMs`, `keepAliveHeaderMs`",
  { byDefault: "75s", note: perServer },
);
export const keepaliveRequests = honoured(
  "keepalive_requests",
  anyHttp,
  number,
  "`keepAliveRequests`",
  { byDefault: "1000", note: perServer },
);
export const clientMaxBodySize = honoured(
  "client_max_body_size",
  anyHttp,
  offset,
  "`bodyBytesMax`",
  { byDefault: "1m" },
);
export const clientBodyTimeout = honoured("client_body_timeout", anyHttp, time, "`bodyTimeoutMs`", {
  byDefault: "60s",
});
export const sendTimeout = honoured("send_timeout", anyHttp, time, "`clientSendTimeoutMs`", {
  byDefault: "60s",
});

export const underscoresInHeaders = honoured(
  "underscores_in_headers",
  httpAndServer,
  flag,
  "`underscoresInHeaders`",
  { byDefault: "off" },
);
export const ignoreInvalidHeaders = honoured(
  "ignore_invalid_headers",
  httpAndServer,
  flag,
  "`off` is `unusualHeaders: true`",
  { byDefault: "on", note: "Names that no HTTP header can have are always rejected." },
);

export const mergeSlashes = honoured("merge_slashes", httpAndServer, flag, "`mergeSlashes`", {
  byDefault: "on",
});

/** They concern a connection, which has a server but no location yet. */
export const perConnection: readonly Directive[] = [keepaliveTimeout, keepaliveRequests];

const inMemory = "request bodies stay in memory";
const lingering = "after a rejection, the rest of a request is read for a bounded time";
const streaming = "responses are sent as they arrive";

export const httpDirectives: readonly Directive[] = [
  clientHeaderTimeout,
  clientHeaderBufferSize,
  largeClientHeaderBuffers,
  keepaliveTimeout,
  keepaliveRequests,
  clientMaxBodySize,
  clientBodyTimeout,
  sendTimeout,
  ignored("keepalive_time", anyHttp, time, "the age of connections has no limit"),
  ignored(
    "keepalive_disable",
    anyHttp,
    someOf("none", "msie6", "safari"),
    "all clients are treated alike",
  ),
  ignored("client_body_buffer_size", anyHttp, size, inMemory),
  ignored("client_body_in_file_only", anyHttp, oneOf("off", "on", "clean"), inMemory),
  ignored("client_body_in_single_buffer", anyHttp, flag, inMemory),
  ignored("client_body_temp_path", anyHttp, words(1, 4), inMemory),
  ...["fastcgi_temp_path", "uwsgi_temp_path", "scgi_temp_path"].map((name) =>
    ignored(name, anyHttp, words(1, 4), "engines are reached by proxy_pass alone"),
  ),
  ignored("subrequest_output_buffer_size", anyHttp, size, "prefill responses have a fixed limit"),
  ignored("connection_pool_size", httpAndServer, size, "the runtime manages memory"),
  ignored("request_pool_size", httpAndServer, size, "the runtime manages memory"),
  ignoreInvalidHeaders,
  underscoresInHeaders,
  mergeSlashes,
  ignored("lingering_close", anyHttp, oneOf("off", "on", "always"), lingering),
  ignored("lingering_time", anyHttp, time, lingering),
  ignored("lingering_timeout", anyHttp, time, lingering),
  ignored("reset_timedout_connection", anyHttp, flag, "connections that time out are closed"),
  ignored("postpone_output", anyHttp, size, streaming),
  ignored("send_lowat", anyHttp, size, streaming),
  ignored("tcp_nodelay", anyHttp, flag, "it is always on"),
  ignored("tcp_nopush", anyHttp, flag, streaming),
];
