/** `proxy_hide_header`, `proxy_pass_header`, and what is hidden by default. */
import { response, type Subject, type WireCase } from "../harness/case.ts";

const engine = response(
  200,
  "ok",
  "Server: engine",
  "Date: Thu, 01 Jan 1970 00:00:00 GMT",
  "Content-Type: text/plain",
  "X-Engine: e",
  "X-Other: o",
  "X-Pad: p",
  "X-Accel-Other: a",
  "X-Accel-Buffering: no",
  "X-Accel-Expires: 5",
  "Set-Cookie: a=b",
  "Set-Cookie: c=d",
  'ETag: "x"',
  "Location: /x",
  "X-Powered-By: p",
);
const pass = "proxy_pass http://%engine%;";

const cases: WireCase[] = [
  ["by default", ""],
  ["a header that is hidden", "proxy_hide_header x-ENGINE;"],
  [
    "several, one of them twice in the response",
    "proxy_hide_header Set-Cookie; proxy_hide_header ETag;",
  ],
  ["headers of meaning", "proxy_hide_header Content-Type; proxy_hide_header Location;"],
  ["the length is never hidden", "proxy_hide_header Content-Length;"],
  [
    "what is hidden and passed is passed",
    "proxy_hide_header X-Engine; proxy_pass_header X-Engine;",
  ],
  ["the engine's own Server and Date", "proxy_pass_header Server; proxy_pass_header date;"],
  ["what is hidden by default", "proxy_pass_header X-Pad; proxy_pass_header X-Accel-Buffering;"],
  ["Server and Date are hidden anyway", "proxy_hide_header Server; proxy_hide_header Date;"],
].map(([name, conf]) => ({ name: name!, conf: `location / { ${conf} ${pass} }`, engine }));

export const hiddenHeaders: Subject = {
  subject: "hidden-headers",
  cases: [
    ...cases,
    {
      name: "a level of its own inherits none",
      conf: `proxy_hide_header X-Other; location / { proxy_hide_header X-Engine; ${pass} }`,
      engine,
    },
    {
      name: "hidden outside and passed inside",
      conf: `proxy_hide_header X-Other; location / { proxy_pass_header X-Other; ${pass} }`,
      engine,
    },
    {
      name: "an engine without Server and Date",
      conf: `location / { proxy_pass_header Server; proxy_pass_header Date; ${pass} }`,
    },
    {
      name: "X-Accel-Charset",
      conf: `location / { charset utf-8; proxy_set_header Host e.example; ${pass} }`,
      engine: response(200, "ok", "Content-Type: a/b", "X-Accel-Charset: utf-8"),
      differs: "x-accel",
    },
    {
      name: "what Connection names",
      conf: `location / { proxy_set_header Host e.example; ${pass} }`,
      engine: response(200, "ok", "Connection: X-Named", "X-Named: n"),
      differs: "nominated-headers",
    },
  ],
};
