/** Whether clients' connections stay open, and what clients are told of it. */
import { message, type Subject, type WireCase } from "../harness/case.ts";

const confs = [
  "",
  "keepalive_timeout 65 60;",
  "keepalive_timeout 0;",
  "keepalive_timeout 65 60; keepalive_disable none;",
  "keepalive_timeout 65 60; keepalive_disable safari;",
  "keepalive_requests 1;",
];

const safari =
  "User-Agent: Mozilla/5.0 (Macintosh; Intel Mac OS X 10) AppleWebKit/1 Version/1 Safari/1";
const explorer = "User-Agent: Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1)";

const clients: Readonly<Record<string, readonly string[]>> = {
  "HTTP/1.1": ["GET /a HTTP/1.1", "Host: a"],
  "HTTP/1.0": ["GET /a HTTP/1.0", "Connection: keep-alive"],
  Safari: ["GET /a HTTP/1.1", "Host: a", safari],
  "Explorer 6": ["POST /a HTTP/1.1", "Host: a", "Content-Length: 0", explorer],
};

function isDisabled(conf: string, client: string): boolean {
  if (conf.includes("keepalive_timeout 0") || conf.includes("keepalive_requests")) return false;
  const isBoth = conf.includes("keepalive_disable");
  return client === "Explorer 6" ? !isBoth : client === "Safari" && conf.includes("safari");
}

export const connections: Subject = {
  subject: "connections",
  cases: [
    ...confs.flatMap((conf) =>
      Object.entries(clients).map(
        ([client, lines]): WireCase => ({
          name: `"${conf}" to ${client}`,
          request: message(lines),
          conf: `${conf} location / { proxy_pass http://%engine%; }`,
          ...(isDisabled(conf, client) && { differs: "old-browsers" }),
        }),
      ),
    ),
    {
      name: "pipelined requests are responded to in order",
      request: message(["GET /a HTTP/1.1", "Host: a"]) + message(["GET /b HTTP/1.1", "Host: a"]),
      engine: ({ target }) => `HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n${target}`,
      responses: 2,
    },
    {
      name: "empty lines between requests",
      request: [
        message(["GET /a HTTP/1.1", "Host: a"]),
        { until: "ok\n" },
        "\r\n\r\n",
        message(["GET /b HTTP/1.1", "Host: a"]),
      ],
      responses: 2,
    },
    {
      name: "a keepalive_timeout of one location",
      conf: "location / { keepalive_timeout 65 30; proxy_pass http://%engine%; }",
      request: message(["GET /a HTTP/1.1", "Host: a"]),
      differs: "connection-settings",
    },
  ],
};
