/** Directives about clients' connections, heads and bodies, which stand in http, server and location. */
import {
  buffers,
  flag,
  invalidValue,
  many,
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

export const clientHeaderTimeout = honoured(
  "client_header_timeout",
  httpAndServer,
  time,
  "`headerTimeoutMs`; 60 s",
);
export const clientHeaderBufferSize = honoured(
  "client_header_buffer_size",
  httpAndServer,
  size,
  "part of `headBytesMax`; 1k",
);
export const largeClientHeaderBuffers = honoured(
  "large_client_header_buffers",
  httpAndServer,
  buffers,
  "`headBytesMax` is number × size + `client_header_buffer_size`, so that every head that nginx takes is taken; 4 8k",
);
export const keepaliveTimeout = honoured(
  "keepalive_timeout",
  anyHttp,
  reading(1, 2, ([timeout, header], scope) => {
    if (header !== undefined) {
      if (parseTime(header.text, "seconds") === undefined) invalidValue(header, scope);
      scope.notice('no "Keep-Alive" header is sent, so the second time has no effect', header);
    }
    return readTime(timeout!, scope);
  }),
  "`keepAliveTimeoutMs`, at http and server level; 75 s",
);
export const keepaliveRequests = honoured(
  "keepalive_requests",
  anyHttp,
  number,
  "`keepAliveRequests`, at http and server level; 1000",
);
export const clientMaxBodySize = honoured(
  "client_max_body_size",
  anyHttp,
  offset,
  "`bodyBytesMax`; 1m",
);
export const clientBodyTimeout = honoured(
  "client_body_timeout",
  anyHttp,
  time,
  "`bodyTimeoutMs`; 60 s",
);
export const sendTimeout = honoured("send_timeout", anyHttp, time, "`clientSendTimeoutMs`; 60 s");

/** They belong to a connection, which knows its server but no location yet. */
export const perConnection: readonly Directive[] = [keepaliveTimeout, keepaliveRequests];

const inMemory = "request bodies are in memory";
const strict = "heads are read strictly";
const lingering = "a refused client is read for a bounded time";
const streaming = "answers leave as they arrive";

export const httpDirectives: readonly Directive[] = [
  clientHeaderTimeout,
  clientHeaderBufferSize,
  largeClientHeaderBuffers,
  keepaliveTimeout,
  keepaliveRequests,
  clientMaxBodySize,
  clientBodyTimeout,
  sendTimeout,
  ignored("keepalive_time", anyHttp, time, "connections have no longest age"),
  ignored("keepalive_disable", anyHttp, someOf("none", "msie6", "safari"), "all clients are equal"),
  ignored("client_body_buffer_size", anyHttp, size, inMemory),
  ignored("client_body_in_file_only", anyHttp, oneOf("off", "on", "clean"), inMemory),
  ignored("client_body_in_single_buffer", anyHttp, flag, inMemory),
  ignored("client_body_temp_path", anyHttp, words(1, 4), inMemory),
  ignored("subrequest_output_buffer_size", anyHttp, size, "the size of prefill answers is bounded"),
  ignored("connection_pool_size", httpAndServer, size, "memory is the runtime's"),
  ignored("request_pool_size", httpAndServer, size, "memory is the runtime's"),
  ignored("ignore_invalid_headers", httpAndServer, flag, strict),
  ignored("underscores_in_headers", httpAndServer, flag, strict),
  ignored("merge_slashes", httpAndServer, flag, "paths are normalised"),
  ignored("lingering_close", anyHttp, oneOf("off", "on", "always"), lingering),
  ignored("lingering_time", anyHttp, time, lingering),
  ignored("lingering_timeout", anyHttp, time, lingering),
  ignored("reset_timedout_connection", anyHttp, flag, "connections that time out are closed"),
  ignored("postpone_output", anyHttp, size, streaming),
  ignored("send_lowat", anyHttp, size, streaming),
  ignored("tcp_nodelay", anyHttp, flag, "it is always on"),
  ignored("tcp_nopush", anyHttp, flag, streaming),
  ignored("chunked_transfer_encoding", anyHttp, flag, "clients of HTTP/1.1 get framed answers"),
  ignored(
    "limit_rate_after",
    anyHttp,
    reading(1, many, () => true),
    "rates are not limited",
  ),
];
