// Lengths and codings that have to be refused.

import { post } from "../messages.ts";
import { BAD_CODING, BAD_LENGTH, BOTH, NO_CODING, type RefusedRequest } from "./vector.ts";

export const FRAMINGS: readonly RefusedRequest[] = [
  {
    hazard: "CL.TE",
    text: `${post("Content-Length: 5", "Transfer-Encoding: chunked")}0\r\n\r\n`,
    ...BOTH,
  },
  {
    hazard: "TE.CL",
    text: `${post("Transfer-Encoding: chunked", "Content-Length: 5")}0\r\n\r\n`,
    ...BOTH,
  },
  {
    hazard: "CL with an unknown coding",
    text: `${post("Transfer-Encoding: ,chunked", "Content-Length: 5")}0\r\n\r\n`,
    ...BOTH,
  },
  {
    hazard: "CL with identity",
    text: `${post("Transfer-Encoding: identity", "Content-Length: 5")}World`,
    ...BOTH,
  },
  {
    hazard: "differing lengths",
    text: `${post("Content-Length: 1", "Content-Length: 0")}Z`,
    ...BAD_LENGTH,
  },
  {
    hazard: "equal lengths",
    text: `${post("Content-Length: 1", "Content-Length: 1")}Z`,
    ...BAD_LENGTH,
  },
  {
    hazard: "empty length before another",
    text: `${post("Content-Length: ", "Content-Length: 1")}Z`,
    ...BAD_LENGTH,
  },
  ...[
    "",
    "5, 5",
    "5,5",
    "+3",
    "-3",
    "-0",
    "3.0",
    "0x3",
    "1_0",
    "3 3",
    "3a",
    "1Z",
    "9007199254740992",
    "18446744073709551621",
    "1000000000000000000000",
    "\xa05",
    "\u00b2",
  ].map(
    (length): RefusedRequest => ({
      hazard: `length is ${JSON.stringify(length)}`,
      text: `${post(`Content-Length: ${length}`)}xxxxx`,
      ...BAD_LENGTH,
    }),
  ),
  ...["010", "00", "05"].map(
    (length): RefusedRequest => ({
      hazard: `length is ${length}, octal for strtoll(,,0)`,
      text: `${post(`Content-Length: ${length}`)}0123456789`,
      ...BAD_LENGTH,
      nodeAccepts: "strictness: forwarded as it is, some engines would read it as octal",
    }),
  ),
  {
    hazard: "coding on HTTP/1.0",
    text: "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ...BAD_CODING,
    nodeAccepts: "gap 5: HTTP/1.0 with Transfer-Encoding",
  },
  {
    hazard: "chunked twice, in two lines",
    text: `${post("Transfer-Encoding: chunked", "Transfer-Encoding: chunked")}0\r\n\r\n`,
    ...BAD_CODING,
  },
  {
    hazard: "chunked, then identity, in two lines",
    text: `${post("Transfer-Encoding: chunked", "Transfer-Encoding: identity")}0\r\n\r\n`,
    ...BAD_CODING,
  },
  {
    hazard: "gzip, then chunked, in two lines",
    text: `${post("Transfer-Encoding: gzip", "Transfer-Encoding: chunked")}0\r\n\r\n`,
    ...BAD_CODING,
    nodeAccepts: "strictness: one line, and no coding but chunked",
  },
  ...[
    "xchunked",
    "chunkedchunked",
    "chunked, identity",
    "chunked, chunked",
    "chunked, gzip",
    "identity",
    "pigeons",
    '"chunked"',
    "chunked;a=b",
    "chunked\xa0",
    "\xffchunked\xff",
    "\x85chunked",
    "chun ked",
    "gzip, pigeons",
    "chunked,",
    "chunked\t",
  ].map(
    (coding): RefusedRequest => ({
      hazard: `coding is ${JSON.stringify(coding)}`,
      text: `${post(`Transfer-Encoding: ${coding}`)}0\r\n\r\n`,
      ...BAD_CODING,
    }),
  ),
  {
    hazard: "empty coding",
    text: `${post("Transfer-Encoding:")}0\r\n\r\n`,
    ...BAD_CODING,
    nodeAccepts: "strictness: Node goes on as if the line were not there",
  },
  ...[",chunked", " , chunked", "identity, chunked", "pigeons, chunked"].map(
    (coding): RefusedRequest => ({
      hazard: `coding is ${JSON.stringify(coding)}`,
      text: `${post(`Transfer-Encoding: ${coding}`)}0\r\n\r\n`,
      ...BAD_CODING,
      nodeAccepts: "gap 3: a list that others read as no chunked coding",
    }),
  ),
  {
    hazard: "tab before a coding",
    text: `${post("Transfer-Encoding:\tchunked")}0\r\n\r\n`,
    ...BAD_CODING,
    nodeAccepts: "strictness: parsers that strip no tab see no chunked coding",
  },
  {
    hazard: "tab before a length",
    text: `${post("Content-Length: \t5")}hello`,
    ...BAD_LENGTH,
    nodeAccepts: "as above",
  },
  { hazard: "tab after a length", text: `${post("Content-Length: 5\t")}hello`, ...BAD_LENGTH },
  ...["gzip", "deflate", "X-Compress"].map(
    (coding): RefusedRequest => ({
      hazard: `coding is ${coding}`,
      text: `${post(`Transfer-Encoding: ${coding}`)}0\r\n\r\n`,
      ...NO_CODING,
    }),
  ),
  ...["gzip, chunked", "deflate,compress , Chunked"].map(
    (coding): RefusedRequest => ({
      hazard: `coding is ${coding}`,
      text: `${post(`Transfer-Encoding: ${coding}`)}0\r\n\r\n`,
      ...NO_CODING,
      nodeAccepts: "Node hands the coded bytes to its handler; a proxy would have to decode them",
    }),
  ),
];
