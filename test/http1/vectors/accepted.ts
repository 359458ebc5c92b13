// Requests that have to be accepted: the ordinary, and the odd that the protocol allows.

import { chunkedPost, get, post } from "../messages.ts";
import type { AcceptedRequest } from "./vector.ts";

export const ACCEPTED: readonly AcceptedRequest[] = [
  { what: "least HTTP/1.1", text: get("/") },
  { what: "least HTTP/1.0, without Host", text: "GET / HTTP/1.0\r\n\r\n" },
  { what: "one empty line before", text: `\r\n${get("/")}` },
  { what: "a body by length", text: `${post("Content-Length: 5")}hello` },
  { what: "length 0", text: post("Content-Length: 0") },
  { what: "length with white space around", text: `${post("Content-Length:   5  ")}hello` },
  { what: "length in odd case, on 1.0", text: "GET / HTTP/1.0\r\nconTENT-Length: 5\r\n\r\nHELLO" },
  { what: "a body of GET", text: "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok" },
  { what: "chunks", text: chunkedPost("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n") },
  {
    what: "chunk size in either case",
    text: chunkedPost("a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n"),
  },
  { what: "last chunk of several zeros", text: chunkedPost("1\r\nx\r\n000\r\n\r\n") },
  {
    what: "trailer fields",
    text: chunkedPost("1\r\nx\r\n0\r\nVary: *\r\nContent-Type: text/plain\r\n\r\n"),
  },
  { what: "chunk extensions", text: chunkedPost('5;a;b=c;d="e; \\" f"\r\nhello\r\n0;z\r\n\r\n') },
  { what: "Chunked in another case", text: `${post("Transfer-Encoding: CHUNKED")}0\r\n\r\n` },
  {
    what: "chunked with white space around",
    text: `${post("Transfer-Encoding:  chunked  ")}0\r\n\r\n`,
  },
  { what: "empty field value", text: post("X-Empty:", "Content-Length: 0") },
  { what: "HTAB and obs-text in a value", text: post("X-A: b\tc \x80\xff", "Content-Length: 0") },
  { what: "all token characters in a name", text: post("!#$%&'*+-.^_`|~09azAZ: 1") },
  { what: "colons in a value", text: post("X-A: b: c:d") },
  { what: "several lines of one unknown name", text: post("X-A: 1", "X-A: 2", "x-a: 3") },
  {
    what: "bytes of UTF-8 in a target",
    text: get("/caf\xc3\xa9?\xc3\xa9"),
    notInNode: true,
  },
  { what: "absolute target that disagrees with Host", text: get("http://b:81/") },
  { what: "absolute target that agrees", text: "GET http://a/b?c HTTP/1.1\r\nHost: a\r\n\r\n" },
  {
    what: "absolute target in another case",
    text: "GET HTTP://Ex.Com:80/ HTTP/1.1\r\nHost: eX.coM:80\r\n\r\n",
  },
  { what: "absolute target without path", text: "GET http://a?b HTTP/1.1\r\nHost: a\r\n\r\n" },
  { what: "absolute target on 1.0 without Host", text: "GET https://a/ HTTP/1.0\r\n\r\n" },
  { what: "OPTIONS *", text: "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n" },
  { what: "odd but visible target", text: get("/a;b=c/@:!$&'()*+,|{}[]^`<>\"%zz?x=\\?/") },
  { what: "two slashes", text: get("//a//b") },
  { what: "host with port", text: "GET / HTTP/1.1\r\nHost: a-b_c.d:65535\r\n\r\n" },
  { what: "host is IPv6", text: "GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n" },
  { what: "host is IPv4 in IPv6", text: "GET / HTTP/1.1\r\nHost: [::ffff:127.0.0.1]\r\n\r\n" },
  { what: "host with the root's dot", text: "GET / HTTP/1.1\r\nHost: a.b.\r\n\r\n" },
  { what: "expectation", text: `${post("Expect: 100-Continue", "Content-Length: 1")}x` },
  {
    what: "expectation on 1.0",
    text: "POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx",
  },
  { what: "Connection with empty elements", text: post("Connection: ,close,, x-a ,") },
  { what: "two Connection lines", text: post("Connection: keep-alive", "Connection: x-a") },
  { what: "a method of WebDAV", text: "MKCOL / HTTP/1.1\r\nHost: a\r\n\r\n" },
  {
    what: "an unknown method",
    text: "BASELINE-CONTROL_X / HTTP/1.1\r\nHost: a\r\n\r\n",
    notInNode: true,
  },
  { what: "a request behind it", text: `${get("/")}GET /other HTTP/1.1\r\nHost: b\r\n\r\n` },
];
