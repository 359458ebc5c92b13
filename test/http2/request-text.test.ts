/** What an HTTP/2 head becomes in HTTP/1.1, and that none becomes another request than it is. */
import { describe, expect, test } from "vitest";
import { parseRequestHead, RequestHead } from "../../src/http1/head/request-head.ts";
import { requestText } from "../../src/http2/request-text.ts";

const pseudo = [":method", "POST", ":scheme", "https", ":path", "/v1?a=b", ":authority", "a.test"];
const without = (name: string) => {
  const at = pseudo.indexOf(name);
  return [...pseudo.slice(0, at), ...pseudo.slice(at + 2)];
};
const having = (name: string, value: string) => [...without(name), name, value];

test.each([
  ["no body", pseudo, false, ""],
  ["a body of known length", [...pseudo, "content-length", "3"], true, "content-length: 3\r\n"],
  ["a body of unknown length", pseudo, true, "Transfer-Encoding: chunked\r\n"],
  ["fields", [...pseudo, "x-a", "1", "x-a", "caf\xe9"], false, "x-a: 1\r\nx-a: caf\xe9\r\n"],
  ["split cookies", [...pseudo, "cookie", "a=1", "cookie", "b=2"], false, "cookie: a=1; b=2\r\n"],
  ["a host twice", [...pseudo, "host", "a.test"], false, ""],
  ["a host alone", [...without(":authority"), "host", "a.test"], false, ""],
  ["trailers accepted", [...pseudo, "te", "trailers"], false, ""],
])("%s: the same head as of HTTP/1.1", (_name, fields, hasBody, lines) => {
  const request = requestText(fields, hasBody);
  const text = `POST /v1?a=b HTTP/1.1\r\nHost: a.test\r\n${lines}\r\n`;
  expect(request).toMatchObject({ text, method: "POST" });
  const head = new RequestHead();
  expect(parseRequestHead(text, head)).toBeUndefined();
  expect(head).toMatchObject({ path: "/v1", query: "a=b", host: "a.test" });
});

describe("refuses what could be read as another request", () => {
  test.each([
    ["no method", without(":method")],
    ["no path", without(":path")],
    ["no scheme", without(":scheme")],
    ["two paths", [...pseudo, ":path", "/other"]],
    ["an unknown pseudo-header", [...pseudo, ":protocol", "websocket"]],
    ["a pseudo-header of responses", [...pseudo, ":status", "200"]],
    ["a pseudo-header behind a field", [...without(":path"), "x-a", "1", ":path", "/v1"]],
    ["an empty path", having(":path", "")],
    ["an absolute path", having(":path", "http://other.test/")],
    ["a path with a line", having(":path", "/v1 HTTP/1.1\r\nx-a: 1")],
    ["a path with a space", having(":path", "/v1 /other")],
    ["a method with a line", having(":method", "GET / HTTP/1.1\r\nx-a:")],
    ["an authority with a line", having(":authority", "a.test\r\nx-a: 1")],
    ["another host", [...pseudo, "host", "b.test"]],
    ["two hosts", [...without(":authority"), "host", "a.test", "host", "a.test"]],
    ["an upper-case name", [...pseudo, "X-A", "1"]],
    ["an empty name", [...pseudo, "", "1"]],
    ["a name with a colon", [...pseudo, "x-a: 1\r\nx-b", "1"]],
    ["a value with a line", [...pseudo, "x-a", "1\r\nx-b: 1"]],
    ["a value with LF", [...pseudo, "x-a", "1\nx-b: 1"]],
    ["a value with NUL", [...pseudo, "x-a", "1\0"]],
    ["a value that begins with white space", [...pseudo, "x-a", " 1"]],
    ["connection", [...pseudo, "connection", "close"]],
    ["keep-alive", [...pseudo, "keep-alive", "timeout=5"]],
    ["proxy-connection", [...pseudo, "proxy-connection", "close"]],
    ["transfer-encoding", [...pseudo, "transfer-encoding", "chunked"]],
    ["upgrade", [...pseudo, "upgrade", "h2c"]],
    ["te", [...pseudo, "te", "gzip"]],
    ["a length without a body", [...pseudo, "content-length", "3"]],
    ["CONNECT", [":method", "CONNECT", ":authority", "a.test:443"]],
  ])("%s", (_name, fields) => {
    expect(requestText(fields, false)).toMatchObject({
      status: expect.any(Number),
      code: expect.stringMatching(/^GP_/),
    });
  });
});
