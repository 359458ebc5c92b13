/** HTTP/2 of clients. */
import { flag, number, reading, size, time } from "../../reading/arguments.ts";
import { anyHttp, httpAndServer } from "../../reading/context.ts";
import { type Directive, honoured, ignored } from "../../reading/directive.ts";

export const http2 = honoured("http2", httpAndServer, flag, "`http2` of each `listen`", {
  byDefault: "off",
  note: "Of nginx 1.25; `listen … http2` is the same for one address.",
});

export const http2MaxConcurrentStreams = honoured(
  "http2_max_concurrent_streams",
  httpAndServer,
  number,
  "`http2StreamsMax`",
  { byDefault: "128" },
);

const noPush = "nothing is pushed; browsers have dropped it";
const sameAsHttp1 = "bounds of heads and time-outs are those of HTTP/1.1";

export const http2Ignored: readonly Directive[] = [
  ignored("http2_chunk_size", anyHttp, size, "a piece of a body has 16 KiB at most"),
  ignored("http2_body_preread_size", httpAndServer, size, "a client sends 64 KiB ahead"),
  ignored("http2_recv_buffer_size", ["http"], size, "buffers grow as needed"),
  ignored("http2_pool_size", httpAndServer, size, "memory is not pooled"),
  ignored("http2_streams_index_size", httpAndServer, number, "tables grow as needed"),
  ignored(
    "http2_push",
    anyHttp,
    reading(1, 1, () => undefined),
    noPush,
    { repeats: true },
  ),
  ignored("http2_push_preload", anyHttp, flag, noPush),
  ignored("http2_max_concurrent_pushes", httpAndServer, number, noPush),
  ignored("http2_recv_timeout", httpAndServer, time, sameAsHttp1),
  ignored("http2_idle_timeout", httpAndServer, time, "use keepalive_timeout"),
  ignored("http2_max_requests", httpAndServer, number, "use keepalive_requests"),
  ignored("http2_max_field_size", httpAndServer, size, sameAsHttp1),
  ignored("http2_max_header_size", httpAndServer, size, sameAsHttp1),
];
