// Chunked bodies that have to be refused.

import { chunkedPost } from "../messages.ts";
import {
  BAD_CHUNK_END,
  BAD_EXTENSION,
  BAD_SIZE,
  BAD_TRAILER,
  type RefusedRequest,
} from "./vector.ts";

export const CHUNKS: readonly RefusedRequest[] = [
  ...[
    "0_2e",
    "0x5",
    "+5",
    "-5",
    "-0x0",
    " 5",
    "5 ",
    "5\t",
    "",
    "G",
    "5 ;a",
    "5 ext",
    "Z",
    "5\x00",
    "\xa05",
    "20000000000000",
    "00000000000000005",
    "ffffffffffffffff1",
  ].map(
    (size): RefusedRequest => ({
      hazard: `chunk size is ${JSON.stringify(size)}`,
      text: chunkedPost(`${size}\r\nhello\r\n0\r\n\r\n`),
      ...BAD_SIZE,
      ...(size === "00000000000000005"
        ? { nodeAccepts: "strictness: the digits of a size are bounded" }
        : {}),
    }),
  ),
  ...[
    "5;",
    "5;a= b",
    "5; a",
    "5;a;",
    '5;a="b',
    '5;a="b"c',
    "5;a\x00",
    "5;a=\x01",
    `5;${"a".repeat(256)}`,
  ].map(
    (line): RefusedRequest => ({
      hazard: `chunk line is ${JSON.stringify(line.slice(0, 20))}`,
      text: chunkedPost(`${line}\r\nhello\r\n0\r\n\r\n`),
      ...BAD_EXTENSION,
      ...(line.length > 200
        ? { nodeAccepts: "strictness: extensions of one chunk are bounded" }
        : {}),
    }),
  ),
  ...["5;;a", "5;a=", "5;=b"].map(
    (line): RefusedRequest => ({
      hazard: `chunk line is ${JSON.stringify(line)}`,
      text: chunkedPost(`${line}\r\nhello\r\n0\r\n\r\n`),
      ...BAD_EXTENSION,
      nodeAccepts: "strictness: an extension has a name, and a value after its equals sign",
    }),
  ),
  { hazard: "LF ends a chunk line", text: chunkedPost("5\nhello\r\n0\r\n\r\n"), ...BAD_CHUNK_END },
  { hazard: "LF ends chunk data", text: chunkedPost("5\r\nhello\n0\r\n\r\n"), ...BAD_CHUNK_END },
  {
    hazard: "CR and another byte end a chunk line",
    text: chunkedPost("5\r\r;ABCD\r\n34\r\nE\r\n0\r\n\r\n"),
    ...BAD_CHUNK_END,
  },
  { hazard: "LF in an extension", text: chunkedPost("5;a\nhello\r\n0\r\n\r\n"), ...BAD_EXTENSION },
  {
    hazard: "CR in an extension",
    text: chunkedPost("2;a\rb\r\nxx\r\n0\r\n\r\n"),
    ...BAD_CHUNK_END,
  },
  {
    hazard: "chunk longer than its size",
    text: chunkedPost("4\r\nhello\r\n0\r\n\r\n"),
    ...BAD_CHUNK_END,
  },
  { hazard: "chunk without an end", text: chunkedPost("5\r\nhello0\r\n\r\n"), ...BAD_CHUNK_END },
  {
    hazard: "empty line before the last chunk",
    text: chunkedPost("1\r\nx\r\n\r\n0\r\n\r\n"),
    ...BAD_SIZE,
  },
  { hazard: "no last chunk", text: chunkedPost("3\r\nfoo\r\n\r\n"), ...BAD_SIZE },
  {
    hazard: "body ends with CRLF and two other bytes",
    text: chunkedPost("0\r\nX:POST / HTTP/1.1\r\nY\r\n\r\n"),
    ...BAD_TRAILER,
  },
  {
    hazard: "trailer field is Host",
    text: chunkedPost("0\r\nHost: b\r\n\r\n"),
    ...BAD_TRAILER,
    nodeAccepts: "strictness: RFC 9110, section 6.5.1, keeps routing out of trailers",
  },
  ...["Content-Length: 5", "transfer-encoding: chunked"].map(
    (line): RefusedRequest => ({
      hazard: `trailer field is ${line}`,
      text: chunkedPost(`0\r\n${line}\r\n\r\n`),
      ...BAD_TRAILER,
    }),
  ),
  {
    hazard: "trailer line is folded",
    text: chunkedPost("0\r\nA: b\r\n c\r\n\r\n"),
    ...BAD_TRAILER,
  },
  { hazard: "trailer line without a name", text: chunkedPost("0\r\n: b\r\n\r\n"), ...BAD_TRAILER },
  { hazard: "NUL in a trailer", text: chunkedPost("0\r\nA: \x00\r\n\r\n"), ...BAD_TRAILER },
  { hazard: "LF ends a trailer", text: chunkedPost("0\r\nA: b\n\r\n"), ...BAD_TRAILER },
  { hazard: "CR ends a trailer", text: chunkedPost("0\r\nA: b\rC: d\r\n\r\n"), ...BAD_TRAILER },
  { hazard: "CR and another byte end the body", text: chunkedPost("0\r\n\rX"), ...BAD_CHUNK_END },
];
