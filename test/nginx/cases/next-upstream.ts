/**
 * `proxy_next_upstream` means what it means in nginx: each of its conditions, with each way in which an engine fails,
 * reaches the same engines, and the client gets the same.
 */
import { scaled } from "../../support/times.ts";
import {
  type EngineScript,
  get,
  post,
  response,
  type Subject,
  type WireCase,
} from "../harness/case.ts";

const conditions = [
  "error",
  "timeout",
  "invalid_header",
  "http_500",
  "http_502",
  "http_503",
  "http_504",
  "http_429",
  "http_403",
  "http_404",
  "off",
  "error timeout",
  "error timeout http_500 non_idempotent",
  "error timeout invalid_header http_500 http_502 http_503 http_504 http_429 http_403 http_404",
];

/** What an engine does once it has the request. */
const failures: Readonly<Record<string, EngineScript>> = {
  "refuses connections": "refuses",
  "resets the connection": "reset",
  "closes the connection": "end",
  hangs: [],
  "sends a bad header": ["HTTP/1.1 200 OK\r\nX-A: a\0b\r\n\r\n", "end"],
  "closes in its body": ["HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", "end"],
  ...Object.fromEntries(
    [500, 502, 503, 504, 429, 403, 404].map((status) => [
      `responds with ${status}`,
      [response(status, "no", "Connection: close"), "end"],
    ]),
  ),
};

/** A GET and a POST, each to an engine that fails and a good one, and to two that fail. Each has a pool of its own. */
function caseOf(condition: string, failure: string): WireCase {
  const script = failures[failure]!;
  const paths = ["get", "post", "get-hopeless", "post-hopeless"];
  const upstreams = paths.map((path) => {
    const second = path.endsWith("hopeless") ? "%engine2%" : "%engine3%";
    return `upstream %id%-${path} { server %engine1%; server ${second}; }`;
  });
  const timeout = failure === "hangs" ? `proxy_read_timeout ${scaled(250)}ms;` : "";
  const locations = paths.map((path) => `location /${path} { proxy_pass http://%id%-${path}; }`);
  return {
    name: `${condition}: ${failure}`,
    http: upstreams.join(" "),
    conf: `proxy_next_upstream ${condition}; ${timeout} ${locations.join(" ")}`,
    engines: [script, script, [response(200, "well", "Connection: close"), "end"]],
    together: failure === "hangs",
    clients: paths.map((path) =>
      path.startsWith("get") ? get(`/${path}`) : post(`/${path}`, '{"a":1}'),
    ),
  };
}

export const nextUpstream: Subject = {
  subject: "next-upstream",
  cases: conditions.flatMap((condition) =>
    Object.keys(failures).map((failure) => caseOf(condition, failure)),
  ),
};
