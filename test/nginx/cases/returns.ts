/** `return` in all its forms. */
import type { DifferenceId } from "../../../src/config/docs/nginx-differences.ts";
import { get, message, type Subject, type WireCase } from "../harness/case.ts";

const forms = [
  "return 200;",
  'return 200 "";',
  'return 200 "a $uri $arg_b $status";',
  "return 200 a;",
  "return 201 a;",
  "return 202;",
  "return 204;",
  "return 204 a;",
  "return 206 a;",
  "return 226 a;",
  "return 299 a;",
  "return 300 a;",
  "return 301 /a;",
  "return 302 a;",
  "return 304;",
  "return 304 a;",
  "return 305 a;",
  "return 399 a;",
  "return 400;",
  "return 402;",
  "return 405;",
  "return 408;",
  "return 413;",
  "return 414;",
  "return 416;",
  "return 418 teapot;",
  "return 422 a;",
  "return 429;",
  "return 451 a;",
  "return 494;",
  "return 495;",
  "return 496;",
  "return 497;",
  "return 499 a;",
  "return 500 a;",
  "return 502;",
  "return 505;",
  "return 507;",
  "return 599 a;",
  "return 444;",
  "return 444 a;",
  "return https://b.example/;",
  "return $scheme://b.example/;",
  "return a;",
  "return 1000;",
  "return -1;",
  "return 200 a b;",
  "return;",
];

/** Those that differ, with their entry in the list. */
const differing: Readonly<Record<string, DifferenceId>> = {
  "return 304;": "returned-304",
  "return 304 a;": "returned-304",
  "return 408;": "returned-408",
};

const cases: WireCase[] = forms.map((form) => {
  const differs = differing[form];
  return {
    name: form,
    conf: `location / { ${form} }`,
    request: get("/x?b=c"),
    ...(differs && { differs }),
  };
});

export const returns: Subject = {
  subject: "returns",
  cases: [
    ...cases,
    {
      name: "a text for HEAD",
      conf: "return 200 hello;",
      request: message(["HEAD / HTTP/1.1", "Host: a", "Connection: close"]),
    },
    { name: "a text for HTTP/1.0", conf: "return 200 hello;", request: "GET / HTTP/1.0\r\n\r\n" },
    {
      name: "a text for a POST, whose body is read",
      conf: "return 200 hello;",
      request: [
        message(["POST / HTTP/1.1", "Host: a", "Content-Length: 3"], "abc"),
        message(["GET / HTTP/1.1", "Host: a", "Connection: close"]),
      ],
      responses: 2,
    },
    {
      name: "of the server, before any location",
      conf: "return 200 s; location / { return 404; }",
    },
  ],
};
