// Request lines and targets that have to be refused.

import { get } from "../messages.ts";
import {
  BAD_REQUEST_LINE,
  BAD_TARGET,
  BAD_VERSION,
  BARE_LF,
  NO_METHOD,
  type RefusedRequest,
} from "./vector.ts";

export const REQUEST_LINES: readonly RefusedRequest[] = [
  {
    hazard: "HTTP/0.9",
    text: "GET /\r\n\r\n",
    ...BAD_REQUEST_LINE,
    nodeAccepts: "gap 2: a request of HTTP/0.9 has no fields and no end",
  },
  {
    hazard: "no version, then fields",
    text: "GET /\r\nHost: a\r\n\r\n",
    ...BAD_REQUEST_LINE,
    nodeAccepts: "gap 1, with CRLF",
  },
  {
    hazard: "no version and a bare LF, then fields and a body (llhttp#877)",
    text: "POST /\nHost: a\r\nContent-Length: 1\r\n\r\nx",
    ...BARE_LF,
    nodeAccepts: "gap 1: fields of a request without a version",
  },
  { hazard: "LF between target and version", text: "GET /\nHTTP/1.1\r\n\r\n", ...BARE_LF },
  {
    hazard: "two spaces before the target",
    text: "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
    ...BAD_REQUEST_LINE,
    nodeAccepts: "strictness: exactly one space (RFC 9112, section 3)",
  },
  {
    hazard: "two spaces before the version",
    text: "GET /  HTTP/1.1\r\nHost: a\r\n\r\n",
    ...BAD_REQUEST_LINE,
    nodeAccepts: "strictness: exactly one space",
  },
  {
    hazard: "space after the version",
    text: "GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
    ...BAD_REQUEST_LINE,
  },
  {
    hazard: "space before the method",
    text: " GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    ...BAD_REQUEST_LINE,
  },
  { hazard: "tab for a space", text: "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", ...BAD_REQUEST_LINE },
  {
    hazard: "tab before the version",
    text: "GET /\tHTTP/1.1\r\nHost: a\r\n\r\n",
    ...BAD_REQUEST_LINE,
  },
  {
    hazard: "space in the target",
    text: "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
    ...BAD_REQUEST_LINE,
  },
  { hazard: "no target", text: "GET HTTP/1.1\r\nHost: a\r\n\r\n", ...BAD_REQUEST_LINE },
  {
    hazard: "two empty lines before",
    text: "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    ...BAD_REQUEST_LINE,
    nodeAccepts: "strictness: one empty line is tolerated, not more",
  },
  {
    hazard: "LF alone before",
    text: "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    ...BARE_LF,
    nodeAccepts: "strictness: a line ends with CRLF",
  },
  { hazard: "lower-case http", text: get("/", "http/1.1"), ...BAD_REQUEST_LINE },
  {
    hazard: "version of another protocol",
    text: get("/", "RTSP/1.0"),
    ...BAD_REQUEST_LINE,
    nodeAccepts: "Node speaks RTSP too",
  },
  { hazard: "version read by its prefix", text: get("/", "HTTP/1.32"), ...BAD_REQUEST_LINE },
  { hazard: "version with a leading zero", text: get("/", "HTTP/01.1"), ...BAD_REQUEST_LINE },
  { hazard: "version that overflows", text: get("/", "HTTP/4294967295.255"), ...BAD_REQUEST_LINE },
  { hazard: "version without minor", text: get("/", "HTTP/1"), ...BAD_REQUEST_LINE },
  { hazard: "CRs in the version", text: get("/", "HTTP/\r\r1.1"), ...BAD_REQUEST_LINE },
  { hazard: "HTTP/1.2", text: get("/", "HTTP/1.2"), ...BAD_VERSION },
  {
    hazard: "HTTP/0.9 by name",
    text: get("/", "HTTP/0.9"),
    ...BAD_VERSION,
    nodeAccepts: "only 1.0 and 1.1 have fields",
  },
  { hazard: "HTTP/2 preface", text: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", ...BAD_VERSION },
  { hazard: "HTTP/5.6", text: get("/", "HTTP/5.6"), ...BAD_VERSION },
  {
    hazard: "method in lower case",
    text: "get / HTTP/1.1\r\nHost: a\r\n\r\n",
    ...BAD_REQUEST_LINE,
  },
  {
    hazard: "method that is no token",
    text: 'G=":<>(e),[T];?" /get HTTP/1.1\r\nHost: a\r\n\r\n',
    ...BAD_REQUEST_LINE,
  },
  { hazard: "NUL for a method", text: "\x00 / HTTP/1.1\r\nHost: a\r\n\r\n", ...BAD_REQUEST_LINE },
  {
    hazard: "method without end",
    text: `${"A".repeat(33)} / HTTP/1.1\r\nHost: a\r\n\r\n`,
    ...NO_METHOD,
  },
  { hazard: "CONNECT", text: "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", ...NO_METHOD },
  {
    hazard: "TRACE",
    text: "TRACE / HTTP/1.1\r\nHost: a\r\n\r\n",
    ...NO_METHOD,
    nodeAccepts: "TRACE would show a client the fields that a proxy adds",
  },
];

export const TARGETS: readonly RefusedRequest[] = [
  {
    hazard: "fragment",
    text: get("/a#b"),
    ...BAD_TARGET,
    nodeAccepts: "strictness: a fragment is never sent; some cut it, some keep it",
  },
  {
    hazard: "fragment in a query",
    text: get("/a?b#c"),
    ...BAD_TARGET,
    nodeAccepts: "strictness: as above",
  },
  { hazard: "NUL in the target", text: get("/a\x00b"), ...BAD_TARGET },
  { hazard: "DEL in the target", text: get("/a\x7fb"), ...BAD_TARGET },
  { hazard: "control character in the query", text: get("/a?\x01"), ...BAD_TARGET },
  { hazard: "CR in the target", text: get("/a\rb"), ...BAD_REQUEST_LINE },
  {
    hazard: "backslash in the path",
    text: get("/a\\..\\b"),
    ...BAD_TARGET,
    nodeAccepts: "strictness: browsers and some servers read a backslash as a slash",
  },
  { hazard: "target that is no path", text: get("!"), ...BAD_TARGET },
  { hazard: "relative target", text: get("a/b"), ...BAD_TARGET },
  { hazard: "authority for a target", text: get("a:80"), ...BAD_TARGET },
  {
    hazard: "star for another method than OPTIONS",
    text: get("*"),
    ...BAD_TARGET,
    nodeAccepts: "strictness: asterisk form is for OPTIONS alone",
  },
  {
    hazard: "star with a query",
    text: "OPTIONS *?a HTTP/1.1\r\nHost: a\r\n\r\n",
    ...BAD_TARGET,
    nodeAccepts: "strictness: asterisk form is one character",
  },
  { hazard: "query without a path", text: get("?a"), ...BAD_TARGET },
  {
    hazard: "scheme that is not HTTP",
    text: get("ftp://a/"),
    ...BAD_TARGET,
    nodeAccepts: "strictness: only http and https have a meaning here",
  },
  {
    hazard: "absolute target without host",
    text: get("http:///a"),
    ...BAD_TARGET,
    nodeAccepts: "strictness: a host has to be named",
  },
  {
    hazard: "absolute target with a user",
    text: get("http://u@a/"),
    ...BAD_TARGET,
    nodeAccepts: "strictness: a user before the host hides which host is meant",
  },
];
