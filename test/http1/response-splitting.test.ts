// Responses whose end two parsers could see in different places are refused, and each accepted one says how it ends.

import { describe, expect, it } from "vitest";
import { parseResponseHead, ResponseHead } from "../../src/http1/head/response-head.ts";

const response = (status: string, ...lines: string[]): string =>
  `HTTP/1.1 ${status}\r\n${lines.map((line) => `${line}\r\n`).join("")}\r\n`;

function parsed(text: string, method = "POST"): ResponseHead {
  const head = new ResponseHead();
  expect(parseResponseHead(text, head, method)).toBeUndefined();
  return head;
}

describe("ends", () => {
  it.each([
    ["with its length", response("200 OK", "Content-Length: 5"), "POST", "length", 5, true],
    ["with length 0", response("200 OK", "Content-Length: 0"), "POST", "length", 0, true],
    [
      "with its last chunk",
      response("200 OK", "Transfer-Encoding: Chunked"),
      "POST",
      "chunked",
      -1,
      true,
    ],
    ["with the connection", response("200 OK"), "POST", "close", -1, false],
    [
      "with the connection, said or not",
      response("200 OK", "Connection: keep-alive"),
      "GET",
      "close",
      -1,
      false,
    ],
    ["at once, to HEAD", response("200 OK", "Content-Length: 5"), "HEAD", "none", 5, true],
    [
      "at once, to HEAD, with a coding",
      response("200 OK", "Transfer-Encoding: chunked"),
      "HEAD",
      "none",
      -1,
      true,
    ],
    ["at once, 100", response("100 Continue"), "POST", "none", -1, true],
    ["at once, 103", response("103 Early Hints", "Link: a"), "POST", "none", -1, true],
    ["at once, 204", response("204 No Content"), "POST", "none", -1, true],
    [
      "at once, 204 with length 0",
      response("204 No Content", "Content-Length: 0"),
      "POST",
      "none",
      0,
      true,
    ],
    [
      "at once, 304 with the length of what is not sent",
      response("304 Not Modified", "Content-Length: 5"),
      "GET",
      "none",
      5,
      true,
    ],
    [
      "with its length, then closed",
      response("500 No", "Content-Length: 1", "Connection: close"),
      "POST",
      "length",
      1,
      false,
    ],
    [
      "with its length, on 1.0",
      "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n",
      "POST",
      "length",
      1,
      false,
    ],
    [
      "with its length, on 1.0, kept",
      "HTTP/1.0 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\n",
      "POST",
      "length",
      1,
      true,
    ],
  ])("%s", (_, text, method, framing, contentLength, keepAlive) => {
    expect(parsed(text, method)).toMatchObject({ framing, contentLength, keepAlive });
  });
});

it.each([
  ["200 OK", 200, "OK"],
  ["200", 200, ""],
  ["200 ", 200, ""],
  ["200  two spaces", 200, " two spaces"],
  ["404 Nicht gefunden \xe4\t", 404, "Nicht gefunden \xe4\t"],
  ["599 KO", 599, "KO"],
])("reads the status line %j", (line, status, reason) => {
  expect(parsed(response(line))).toMatchObject({ status, reason, minor: 1 });
});

describe("refuses", () => {
  it.each([
    [
      "length and coding",
      response("200 OK", "Content-Length: 5", "Transfer-Encoding: chunked"),
      "GP_LENGTH_AND_CODING",
    ],
    [
      "differing lengths",
      response("200 OK", "Content-Length: 5", "Content-Length: 6"),
      "GP_BAD_CONTENT_LENGTH",
    ],
    [
      "equal lengths",
      response("200 OK", "Content-Length: 5", "Content-Length: 5"),
      "GP_BAD_CONTENT_LENGTH",
    ],
    ["a list of lengths", response("200 OK", "Content-Length: 5, 5"), "GP_BAD_CONTENT_LENGTH"],
    ["a negative length", response("200 OK", "Content-Length: -1"), "GP_BAD_CONTENT_LENGTH"],
    [
      "chunked before another coding",
      response("200 OK", "Transfer-Encoding: chunked, deflate"),
      "GP_BAD_TRANSFER_ENCODING",
    ],
    [
      "chunked twice over",
      response("200 OK", "Transfer-Encoding: chunkedchunked"),
      "GP_BAD_TRANSFER_ENCODING",
    ],
    [
      "two codings",
      response("200 OK", "Transfer-Encoding: chunked", "Transfer-Encoding: identity"),
      "GP_BAD_TRANSFER_ENCODING",
    ],
    ["an empty coding", response("200 OK", "Transfer-Encoding:"), "GP_BAD_TRANSFER_ENCODING"],
    [
      "a coding that is not implemented",
      response("200 OK", "Transfer-Encoding: gzip"),
      "GP_TRANSFER_ENCODING_NOT_IMPLEMENTED",
    ],
    [
      "a coding on HTTP/1.0",
      "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
      "GP_BAD_TRANSFER_ENCODING",
    ],
    ["a body of 204, by length", response("204 No", "Content-Length: 1"), "GP_BODY_NOT_ALLOWED"],
    [
      "a body of 204, in chunks",
      response("204 No", "Transfer-Encoding: chunked"),
      "GP_BODY_NOT_ALLOWED",
    ],
    ["a body of 100", response("100 Continue", "Content-Length: 1"), "GP_BODY_NOT_ALLOWED"],
    [
      "a broken length, even to HEAD",
      response("200 OK", "Content-Length: x"),
      "GP_BAD_CONTENT_LENGTH",
    ],
    ["a folded line", response("200 OK", "A: b", " c"), "GP_OBS_FOLD"],
    ["a folded line after the status", response("200 OK", " Host: a"), "GP_OBS_FOLD"],
    ["space before a colon", response("200 OK", "Content-Length : 5"), "GP_BAD_FIELD_NAME"],
    ["NUL in a value", response("200 OK", "A: \x00"), "GP_BAD_FIELD_VALUE"],
    ["CR in a value", response("200 OK", "A: b\rC: d"), "GP_BARE_CR"],
    ["LF in a value", response("200 OK", "A: b\nC: d"), "GP_BARE_LF"],
    ["LF after the status line", "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n", "GP_BARE_LF"],
    ["CR in the reason", response("200 O\rK"), "GP_BAD_STATUS_LINE"],
    ["NUL in the reason", response("200 O\x00K"), "GP_BAD_STATUS_LINE"],
    ["no version", "200 OK\r\n\r\n", "GP_BAD_STATUS_LINE"],
    ["a body without a head (HTTP/0.9)", "<html>\r\n\r\n", "GP_BAD_STATUS_LINE"],
    ["a letter missing", "HTP/1.1 200 OK\r\n\r\n", "GP_BAD_STATUS_LINE"],
    ["lower-case http", "http/1.1 200 OK\r\n\r\n", "GP_BAD_STATUS_LINE"],
    ["HTTP/2", "HTTP/2.0 200 OK\r\n\r\n", "GP_BAD_STATUS_LINE"],
    ["HTTP/1.2", "HTTP/1.2 200 OK\r\n\r\n", "GP_BAD_STATUS_LINE"],
    ["HTTP/11.1", "HTTP/11.1 200 OK\r\n\r\n", "GP_BAD_STATUS_LINE"],
    ["HTTP/1.01", "HTTP/1.01 200 OK\r\n\r\n", "GP_BAD_STATUS_LINE"],
    ["a tab before the status", "HTTP/1.1\t200 OK\r\n\r\n", "GP_BAD_STATUS_LINE"],
    ["two spaces before the status", "HTTP/1.1  200 OK\r\n\r\n", "GP_BAD_STATUS_LINE"],
    ["an empty line before", `\r\n${response("200 OK")}`, "GP_BAD_STATUS_LINE"],
    ["two digits", response("20 OK"), "GP_BAD_STATUS_LINE"],
    ["four digits", response("2000 OK"), "GP_BAD_STATUS_LINE"],
    ["status 099", response("099 OK"), "GP_BAD_STATUS_LINE"],
    ["status 600", response("600 OK"), "GP_BAD_STATUS_LINE"],
    ["no status", "HTTP/1.1\r\n\r\n", "GP_BAD_STATUS_LINE"],
    ["an unfinished head", "HTTP/1.1 200 OK\r\n", "GP_BAD_HEAD"],
    ["an empty head", "\r\n\r\n", "GP_BAD_STATUS_LINE"],
  ])("%s", (_, text, code) => {
    expect(parseResponseHead(text, new ResponseHead(), "HEAD")?.code).toBe(code);
    expect(parseResponseHead(text, new ResponseHead(), "POST")?.code).toBe(code);
  });

  it("more than the limits", () => {
    const limits = { headBytes: 60, fieldCount: 1, targetBytes: 1 };
    const codeOf = (text: string): string | undefined =>
      parseResponseHead(text, new ResponseHead(), "GET", limits)?.code;
    expect(codeOf(response("200 OK", "A: b"))).toBeUndefined();
    expect(codeOf(response("200 OK", "A: b", "C: d"))).toBe("GP_TOO_MANY_FIELDS");
    expect(codeOf(response("200 OK", `A: ${"b".repeat(60)}`))).toBe("GP_HEAD_TOO_LARGE");
  });
});

it("shows nothing of an earlier response in a later one", () => {
  const head = new ResponseHead();
  parseResponseHead(
    response("500 No", "Transfer-Encoding: chunked", "Connection: close"),
    head,
    "GET",
  );
  parseResponseHead(response("200", "Content-Length: 3"), head, "GET");
  expect(head).toMatchObject({
    status: 200,
    reason: "",
    framing: "length",
    contentLength: 3,
    chunked: false,
    keepAlive: true,
  });
  expect(head.fields.count).toBe(1);
});
