/** How requests are read. */

import type { DifferenceId } from "../../../src/config/docs/nginx-differences.ts";
import { scaled } from "../../support/times.ts";
import { get, message, post, type Subject, type WireCase } from "../harness/case.ts";

const close = "Connection: close";
const proxied = "location / { proxy_pass http://%engine%; }";
/** What the proxy understood of the request. */
const understood =
  'location / { return 200 "$host|$http_host|$request_uri|$uri|$args|$request|$server_protocol"; }';

/** Heads that start a request in some unusual way. */
type Row = readonly [name: string, request: string];

/** What is meant to differ. */
const differing: Readonly<Record<string, DifferenceId>> = {
  "bytes that are no UTF-8 in a path": "path-encoding",
  "characters that a URI has not": "strict-requests",
  "a fragment in a target": "strict-requests",
  "an absolute target with a user": "hidden-keys",
  "HTTP/0.9": "strict-requests",
  "HTTP/1.2": "strict-requests",
  "two spaces in the request line": "strict-requests",
  "bare LFs in the head": "strict-requests",
  "a header without a colon": "strict-requests",
  TRACE: "methods",
  CONNECT: "methods",
  "OPTIONS *": "methods",
  "headers between two hops": "hop-by-hop",
  "headers named by Connection": "hop-by-hop",
  "an Expect": "continue",
};
const differs = (name: string) => differing[name] && { differs: differing[name] };

const heads: readonly Row[] = [
  ["an empty line before the request line", `\r\n${get("/a")}`],
  ["several empty lines before the request line", `\r\n\r\n\r\n${get("/a")}`],
  ["bare LFs before the request line", `\n\n${get("/a")}`],
  [
    "an absolute target whose host is not that of Host",
    message(["GET http://b.example/a?b HTTP/1.1", "Host: a.example", close]),
  ],
  [
    "an absolute target with a port",
    message(["GET http://b.example:8080/?x HTTP/1.1", "Host: a.example", close]),
  ],
  [
    "an absolute target in capitals",
    message(["GET HTTP://B.Example/a HTTP/1.1", "Host: a", close]),
  ],
  ["an absolute target without Host", message(["GET http://b.example/a HTTP/1.1", close])],
  ["an absolute https target", message(["GET https://b.example/a HTTP/1.1", "Host: a", close])],
  [
    "an absolute target with a user",
    message(["GET http://u@b.example/ HTTP/1.1", "Host: a", close]),
  ],
  ["bytes that are no UTF-8 in a path", get("/caf\xe9")],
  ["characters that a URI has not", get('/a"<>\\^`{|}')],
  ["a space in a target", get("/a b")],
  ["a control character in a target", get("/a\x01b")],
  ["a fragment in a target", get("/a#b?c")],
  ["HTTP/1.0 without Host", "GET /a HTTP/1.0\r\n\r\n"],
  ["HTTP/1.0 that asks to stay", message(["GET /a HTTP/1.0", "Connection: keep-alive"])],
  ["HTTP/0.9", "GET /a\r\n"],
  ["HTTP/1.2", message(["GET /a HTTP/1.2", "Host: a", close])],
  ["HTTP/2.0", message(["GET /a HTTP/2.0", "Host: a", close])],
  ["no Host", message(["GET /a HTTP/1.1", close])],
  ["an empty Host", message(["GET /a HTTP/1.1", "Host:", close])],
  ["two Hosts", message(["GET /a HTTP/1.1", "Host: a", "Host: b", close])],
  ["a Host with a port", message(["GET /a HTTP/1.1", "Host: A.Example:8080", close])],
  ["a Host with a dot at its end", message(["GET /a HTTP/1.1", "Host: a.example.", close])],
  ["a Host with a slash", message(["GET /a HTTP/1.1", "Host: a/b", close])],
  ["a method in lower case", message(["get /a HTTP/1.1", "Host: a", close])],
  ["a method that is not known", message(["BREW /a HTTP/1.1", "Host: a", close])],
  ["TRACE", message(["TRACE /a HTTP/1.1", "Host: a", close])],
  ["CONNECT", message(["CONNECT a:80 HTTP/1.1", "Host: a", close])],
  ["OPTIONS *", message(["OPTIONS * HTTP/1.1", "Host: a", close])],
  ["HEAD", message(["HEAD /a HTTP/1.1", "Host: a", close])],
  ["two spaces in the request line", message(["GET  /a  HTTP/1.1", "Host: a", close])],
  ["bare LFs in the head", `GET /a HTTP/1.1\nHost: a\n${close}\n\n`],
  ["a folded header", message(["GET /a HTTP/1.1", "Host: a", "X-A: b", " c", close])],
  ["a space before a colon", message(["GET /a HTTP/1.1", "Host: a", "X-A : b", close])],
  ["a header without a colon", message(["GET /a HTTP/1.1", "Host: a", "X-A", close])],
  ["a header without a name", message(["GET /a HTTP/1.1", "Host: a", ": b", close])],
  ["a NUL in a header", message(["GET /a HTTP/1.1", "Host: a", "X-A: a\0b", close])],
  ["two identical Content-Lengths", post("/a", "abc", "Content-Length: 3")],
  ["two different Content-Lengths", post("/a", "abc", "Content-Length: 4")],
  ["Content-Length with Transfer-Encoding", post("/a", "abc", "Transfer-Encoding: chunked")],
  [
    "a transfer coding that is not known",
    message(["POST / HTTP/1.1", "Host: a", "Transfer-Encoding: gzip, chunked", close], "0\r\n\r\n"),
  ],
  [
    "a Content-Length that is no number",
    message(["POST /a HTTP/1.1", "Host: a", "Content-Length: x", close]),
  ],
  ["a TLS handshake", "\x16\x03\x01\x02\x00\x01\x00\r\n\r\n"],
];

/** What reaches engines. */
const forwarded: readonly Row[] = [
  ["an empty line before the request line", `\r\n${get("/a")}`],
  ["an absolute target", message(["GET http://b.example/a?b HTTP/1.1", "Host: a.example", close])],
  ["UTF-8 in a target", get("/caf\xc3\xa9")],
  ["a header with an underscore", get("/", "X_A: b", "X-A: c")],
  ["a header with a dot", get("/", "X.A: b")],
  ["a header with an exclamation mark", get("/", "X!A: b")],
  [
    "headers between two hops",
    get(
      "/",
      "Keep-Alive: 5",
      "TE: trailers",
      "Upgrade: x",
      "Proxy-Connection: close",
      "Trailer: x",
    ),
  ],
  [
    "headers named by Connection",
    message(["GET / HTTP/1.1", "Host: a", "X-A: b", "Connection: close, X-A"]),
  ],
  ["an Expect", post("/a", "abc", "Expect: 100-continue")],
  ["a body", post("/a", "abc")],
  ["a GET with a body", message(["GET /a HTTP/1.1", "Host: a", "Content-Length: 3", close], "abc")],
  ["a DELETE without a body", message(["DELETE /a HTTP/1.1", "Host: a", close])],
  ["a POST without a length", message(["POST /a HTTP/1.1", "Host: a", close])],
  ["a POST of nothing", post("/a", "")],
  [
    "a chunked body",
    message(
      ["POST /a HTTP/1.1", "Host: a", "Transfer-Encoding: chunked", close],
      "3\r\nabc\r\n0\r\nX: y\r\n\r\n",
    ),
  ],
  [
    "a chunked GET",
    message(["GET /a HTTP/1.1", "Host: a", "Transfer-Encoding: chunked", close], "0\r\n\r\n"),
  ],
  ["doubled slashes and dots", get("//a/./b/../c//d?e=//f")],
  ["encoded slashes and dots", get("/a%2Fb/%2e%2e/c%00")],
  ["two headers of one name", get("/", "X-A: b", "X-A: c")],
  ["cookies on two lines", get("/", "Cookie: a=b", "Cookie: c=d")],
  ["an empty header", get("/", "X-A:", "X-B:   ")],
  ["a header with spaces around its value", get("/", "X-A:   b c  ")],
  ["UTF-8 in a header", get("/", "X-A: caf\xc3\xa9")],
];

const merge: readonly WireCase[] = ["on", "off"].map((merge_slashes) => ({
  name: `merge_slashes ${merge_slashes}`,
  conf: `merge_slashes ${merge_slashes}; location //a { return 200 "a $uri"; } location / { return 200 "other $uri"; }`,
  request: get("//a//b"),
}));

export const requests: Subject = {
  subject: "requests",
  cases: [
    ...heads.map(
      ([name, request]): WireCase => ({
        name,
        request,
        conf: `client_header_timeout ${scaled(200)}ms; ${understood}`,
        log: "$status $request",
        ...differs(name),
      }),
    ),
    ...forwarded.map(
      ([name, request]): WireCase => ({
        name: `an engine gets ${name}`,
        request,
        conf: proxied,
        ...differs(name),
      }),
    ),
    ...merge,
    {
      name: "a location in UTF-8 that the client encodes, and does not",
      conf: 'location /café { return 200 "here $uri"; } location / { return 404; }',
      clients: [get("/caf\xc3\xa9/a"), get("/caf%C3%A9/b")],
    },
    {
      name: "underscores_in_headers on",
      request: get("/", "X_A: b"),
      conf: `underscores_in_headers on; ${proxied}`,
    },
    {
      name: "ignore_invalid_headers off",
      request: get("/", "X.A: b", "X!A: c"),
      conf: `ignore_invalid_headers off; ${proxied}`,
    },
    {
      name: "$http_ of an underscore header",
      request: get("/", "X_A: b"),
      conf: 'return 200 "<$http_x_a>";',
    },
    {
      name: "a path that no location has",
      conf: "location /a { return 204; }",
      log: "$status $request",
    },
    { name: "a directive that neither knows", conf: "nonsense;" },
    {
      name: "a client that leaves in its body",
      request: ["POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc", "end"],
      log: "$status $request $request_length",
    },
    {
      name: "a client that leaves in its head",
      request: ["POST /a HTTP/1.1\r\nHost: a\r\nConte", "end"],
      log: "$status $request",
    },
    {
      name: "a client that leaves while it waits",
      request: [get("/a"), { happened: "asked" }, "end"],
      engine: [{ happens: "asked" }, { pauseMs: 100 }],
      log: "$status $request",
    },
    {
      name: "a client that never sends its body",
      request: "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc",
      conf: `client_body_timeout ${scaled(200)}ms; ${proxied}`,
      log: "$status $request",
      differs: "late-requests",
    },
    {
      name: "a body that is too large",
      conf: `client_max_body_size 3; ${proxied}`,
      request: post("/a", "abcdef"),
      log: "$status $request",
    },
    {
      name: "a chunked body that is too large",
      conf: `client_max_body_size 3; ${proxied}`,
      request: message(
        ["POST /a HTTP/1.1", "Host: a", "Transfer-Encoding: chunked", close],
        "6\r\nabcdef\r\n0\r\n\r\n",
      ),
      log: "$status $request",
    },
  ],
};
