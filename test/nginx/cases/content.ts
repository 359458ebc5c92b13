/** `expires`, `charset`, `default_type`, `chunked_transfer_encoding`, and other words about responses. */
import { get, message, response, type Subject, type WireCase } from "../harness/case.ts";

const pass = "proxy_pass http://%engine%;";
const lines = [
  "Content-Type: text/plain",
  "Last-Modified: Tue, 02 Jan 2024 00:00:00 GMT",
  "Cache-Control: private",
  "Cache-Control: no-store",
  "Expires: 0",
];

// What goes by the clock is shown by its Cache-Control: a second may pass between the two.
const lifetimes: WireCase[] = [
  "off",
  "epoch",
  "max",
  "modified +24h",
  "modified -1d",
  "modified off",
  "modified @1h",
  "modified 1s",
  "@25h",
  "@24h1s",
  "x",
  "1h 2h",
  "sometimes 3",
].map((value) => ({
  name: `expires ${value}`,
  conf: `location / { expires ${value}; ${pass} }`,
  engine: response(200, "ok", ...lines),
}));

const shown = 'proxy_hide_header Expires; add_header A "$sent_http_cache_control" always;';
const ages: WireCase[] = ["30d", "0", "-1", "1h30m", "+5m", "$arg_e"].map((value) => ({
  name: `expires ${value} in numbers`,
  conf: `location / { expires ${value}; return 200 "$sent_http_expires"; } ${shown}`,
  request: get("/?e=max"),
}));

const statuses: WireCase[] = [203, 304, 404].map((status) => ({
  name: `expires max of a ${status}`,
  conf: `location / { expires max; ${pass} }`,
  engine:
    status === 304 ? message(["HTTP/1.1 304 Said", "X-A: b"]) : response(status, "ok", ...lines),
}));

const charsets: WireCase[] = [
  ["of a text", "charset utf-8;", "Content-Type: text/html"],
  ["of a text that has one", "charset utf-8;", "Content-Type: text/html; charset=koi8-r"],
  ["of a text with a parameter", "charset utf-8;", "Content-Type: text/html; a=b"],
  ["of JSON", "charset utf-8;", "Content-Type: application/json"],
  [
    "of JSON among the types",
    "charset utf-8; charset_types application/json;",
    "Content-Type: application/json",
  ],
  [
    "of HTML with other types",
    "charset utf-8; charset_types application/json;",
    "Content-Type: text/html",
  ],
  ["of all types", "charset utf-8; charset_types *;", "Content-Type: a/b"],
  ["by a variable", "set $c koi8-r; charset $c;", "Content-Type: text/plain"],
  ["off", "charset utf-8; location /x { charset off; }", "Content-Type: text/plain"],
  ["of nothing", "charset utf-8;", "X-A: b"],
].map(([name, conf, line]) => ({
  name: `the charset ${name}`,
  conf: `location / { ${conf} ${pass} }`,
  engine: response(200, "ok", line!),
}));

const types: WireCase[] = [
  ["by default", 'return 200 "x";', "/"],
  ["that the location says", 'default_type application/json; return 200 "{}";', "/"],
  ["with a charset", "default_type text/html; charset utf-8; return 200 x;", "/"],
  ["of an error with a text", 'default_type application/json; return 404 "{}";', "/"],
].map(([name, conf, target]) => ({
  name: `the type of a text ${name}`,
  conf: `location / { ${conf} }`,
  request: get(target),
}));

const inChunks = message(
  ["HTTP/1.1 200 OK", "Content-Type: text/plain", "Transfer-Encoding: chunked"],
  "2\r\nok\r\n0\r\n\r\n",
);

export const content: Subject = {
  subject: "content",
  cases: [
    ...lifetimes,
    ...ages,
    ...statuses,
    {
      name: "expires before added headers",
      conf: `location / { expires max; add_header Cache-Control public; ${pass} }`,
      engine: response(200, "ok", ...lines),
    },
    ...charsets,
    ...types,
    {
      name: "the type of a text by the path's extension",
      conf: 'location = /a.html { return 200 "x"; }',
      request: get("/a.html"),
    },
    {
      name: "the type of a text by types of the configuration's own",
      conf: 'types { a/b xyz; c/d e f; } location = /a.F { return 200 "x"; } location = /a.html { return 200; }',
      request: get("/a.F"),
    },
    {
      name: "chunks that are switched off",
      conf: `location / { chunked_transfer_encoding off; ${pass} }`,
      request: message(["GET / HTTP/1.1", "Host: a"]),
      engine: inChunks,
    },
    {
      name: "chunks that are switched off, and a length",
      conf: `location / { chunked_transfer_encoding off; ${pass} }`,
    },
    {
      name: "no chunks and no trailers",
      conf: `location / { chunked_transfer_encoding off; add_trailer A b; ${pass} }`,
      request: message(["GET / HTTP/1.1", "Host: a", "Connection: close"]),
    },
    ...[
      "limit_rate 10k;",
      "limit_rate 100; limit_rate_after 1k;",
      "set $r 200; limit_rate $r; limit_rate_after $r;",
      "limit_rate 0;",
      "limit_rate x;",
    ].map((conf) => ({
      name: `a limited rate: ${conf}`,
      conf: `location / { ${conf} ${pass} }`,
      engine: response(200, "a".repeat(500)),
    })),
    { name: "types that are no block", conf: "types a b;" },
    {
      name: "headers in a condition",
      conf: `location / { if ($request_method = OPTIONS) { add_header Allow "GET" always; return 204; } ${pass} }`,
      request: message(["OPTIONS / HTTP/1.1", "Host: a", "Connection: close"]),
    },
    ...["on", "off", "build", "maybe"].map((value) => ({
      name: `server_tokens ${value}`,
      conf: `server_tokens ${value}; return 204;`,
    })),
    {
      name: "what has no effect here is accepted",
      conf: `location / { tcp_nopush on; sendfile on; aio off; directio 4m; output_buffers 2 32k; etag off;
        if_modified_since before; max_ranges 0; msie_padding off; msie_refresh on; log_not_found off; log_subrequest on;
        open_file_cache off; reset_timedout_connection on; postpone_output 1k; proxy_buffering off;
        proxy_buffer_size 8k; proxy_buffers 4 8k; proxy_busy_buffers_size 16k; proxy_max_temp_file_size 0;
        proxy_temp_file_write_size 16k; proxy_headers_hash_max_size 512; proxy_headers_hash_bucket_size 64;
        lingering_close off; lingering_time 5s; lingering_timeout 5s; proxy_force_ranges on; ${pass} }`,
    },
  ],
};
