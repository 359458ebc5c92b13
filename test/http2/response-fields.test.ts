/** Fields that an HTTP/2 client must not get, and those that may be there more than once. */
import { expect, test } from "vitest";
import { parseResponseHead, ResponseHead } from "../../src/http1/head/response-head.ts";
import { responseFields } from "../../src/http2/response-fields.ts";

const fieldsOf = (lines: string) => {
  const head = new ResponseHead();
  expect(parseResponseHead(`HTTP/1.1 200 OK\r\n${lines}\r\n`, head, "GET")).toBeUndefined();
  return responseFields(head);
};

test("what frames a message of HTTP/1.1 is left out, and names are in lower case", () => {
  const lines = "Connection: close\r\nKeep-Alive: timeout=5\r\nX-A: b\r\n";
  expect(fieldsOf(`Transfer-Encoding: chunked\r\n${lines}`)).toEqual({
    ":status": 200,
    "x-a": "b",
  });
  expect(fieldsOf("Content-Length: 3\r\n")).toEqual({ ":status": 200, "content-length": "3" });
});

test("cookies stay apart, other values are joined", () => {
  expect(fieldsOf("Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nVary: a\r\nVary: b\r\n")).toEqual({
    ":status": 200,
    "set-cookie": ["a=1", "b=2"],
    vary: "a, b",
  });
});
