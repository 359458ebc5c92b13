/** WebSocket and other protocols that a connection changes to. */
import { scaled } from "../../support/times.ts";
import { message, response, type Subject, type WireCase } from "../harness/case.ts";

const lines = [
  "GET /v1/realtime?model=m HTTP/1.1",
  "Host: a.example",
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
  "Sec-WebSocket-Version: 13",
];
const handshake = message(lines);
const switching = message([
  "HTTP/1.1 101 Switching Protocols",
  "Upgrade: websocket",
  "Connection: Upgrade",
  "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
]);
const headers =
  'proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade"; proxy_http_version 1.1;';
const conf = `location / { ${headers} proxy_pass http://%engine%; }`;
const byMap: Partial<WireCase> = {
  http: 'map $http_upgrade $connection_%id% { default upgrade; "" close; }',
  conf:
    "location / { proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_%id%; " +
    "proxy_pass http://%engine%; }",
};
const much = Buffer.alloc(3_000_000, "0123456789");
const text = (bytes: Buffer) => bytes.toString("latin1");
const hello = Buffer.from("hello \x01\x02 from the client");
const world = Buffer.from("the world says \x7f hello");

export const upgrades: Subject = {
  subject: "upgrades",
  cases: [
    {
      name: "bytes pass both ways after a 101, and the client ends it",
      conf,
      request: [handshake, { until: "\r\n\r\n" }, hello, { until: text(world) }, "end"],
      engine: [switching, { until: text(hello) }, world],
      log: "$status $request $bytes_sent",
    },
    {
      name: "the engine ends it",
      conf,
      request: [handshake, { until: "\r\n\r\n" }, hello],
      engine: [switching, { until: text(hello) }, world, "end"],
      log: "$status $request",
    },
    {
      name: "the engine speaks first, together with its 101",
      conf,
      request: [handshake, { until: text(world) }, hello, { until: "bye" }],
      engine: [switching + text(world), { until: text(hello) }, "bye", "end"],
    },
    {
      name: "the client speaks before the 101",
      conf,
      request: [handshake + text(hello), { until: text(world) }, "end"],
      engine: [switching, { until: text(hello) }, world],
    },
    {
      name: "a map says when",
      ...byMap,
      request: [handshake, { until: "\r\n\r\n" }, hello, { until: text(world) }, "end"],
      engine: [switching, { until: text(hello) }, world],
    },
    {
      name: "a request that asks for nothing, where a map says when",
      ...byMap,
      request: message(["GET / HTTP/1.1", "Host: a", "Connection: close"]),
    },
    {
      name: "an engine that does not want to",
      conf,
      request: handshake,
      engine: response("426 Upgrade Required", "no", "Connection: close"),
      log: "$status",
    },
    {
      name: "an engine that responds as ever",
      conf,
      request: [handshake],
    },
    {
      name: "a configuration that does not say so",
      request: handshake,
      log: "$status",
    },
    {
      name: "a 101 that nobody asked for",
      request: message(["GET / HTTP/1.1", "Host: a", "Connection: close"]),
      conf: `proxy_next_upstream off; ${conf}`,
      differs: "upgrades",
      engine: [switching, "end"],
      log: "$status",
    },
    {
      name: "a client of HTTP/1.0",
      differs: "upgrades",
      conf,
      request: message(["GET / HTTP/1.0", "Connection: Upgrade", "Upgrade: websocket"]),
      engine: [response(200, "plain", "Connection: close"), "end"],
    },
    {
      name: "both sides are silent for too long",
      conf: `proxy_read_timeout ${scaled(300)}ms; ${conf}`,
      request: [handshake, { until: "\r\n\r\n" }, hello],
      engine: switching,
      log: "$status",
    },
    {
      name: "a second engine where the first refuses connections",
      http: "upstream %id% { server %engine1%; server %engine2%; }",
      conf: `location / { ${headers} proxy_pass http://%id%; }`,
      engines: ["refuses", [switching, { until: text(hello) }, world, "end"]],
      request: [handshake, { until: "\r\n\r\n" }, hello],
    },
    {
      name: "a place at an engine is free again after each",
      http: "upstream %id% { server %engine% max_conns=1; }",
      conf: `location / { ${headers} proxy_pass http://%id%; }`,
      clients: [1, 2, 3].map(() => [handshake, { until: "\r\n\r\n" }, hello, { until: "bye" }]),
      engine: [switching, { until: text(hello) }, "bye", "end"],
      log: "$status",
    },
    {
      name: "more than sockets hold, both ways",
      conf,
      request: [handshake, { until: "\r\n\r\n" }, much, "last", { until: "done" }],
      engine: [switching, much, { until: "last" }, "done", "end"],
    },
  ],
};
