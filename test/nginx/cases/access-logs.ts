/** Which requests are logged, and what the log says of them. */
import { get, response, type Subject, type WireCase } from "../harness/case.ts";

const log = "$status $uri $sent_http_a";
const conditional: WireCase[] = ["/?a=1", "/?a=0", "/?a=", "/", "/?a=00"].map((target) => ({
  name: `a log with a condition: ${target}`,
  conf: "location / { access_log logs/%id%.log %id% if=$arg_a; return 200; }",
  request: get(target),
  log,
}));

export const accessLogs: Subject = {
  subject: "access-logs",
  cases: [
    ...conditional,
    {
      name: "a log with a condition on the response, by a map",
      http: "map $status $loud_%id% { ~^[23] 0; default 1; }",
      conf: `access_log logs/%id%.log %id% if=$loud_%id%;
        location /a { return 404; } location / { return 200; }`,
      clients: [get("/a"), get("/b")],
      log,
    },
    {
      name: "a log that is off inside",
      conf: "location /a { access_log off; return 200; } location / { return 200; }",
      clients: [get("/a"), get("/b")],
      log,
    },
    {
      name: "a log of a request that no location takes",
      conf: "location /a { access_log off; return 200; } add_header A a always;",
      clients: [get("/a"), get("/b"), "GET /\x01 HTTP/1.1\r\n\r\n"],
      log,
    },
    {
      name: "a log of an error with a page",
      conf: `error_page 404 /page; location /page { return 200 x; }
        location / { proxy_intercept_errors on; add_header A a; proxy_pass http://%engine%; }`,
      engine: response(404, "no"),
      log: "$status $uri $upstream_status $sent_http_content_type",
    },
    {
      name: "escapes of a log",
      conf: "location / { return 200; }",
      request: get('/a%22b?c=\xc3\xa9"d', 'User-Agent: a"b\\c\td'),
      log: "$request_uri $http_user_agent $http_none",
    },
    { name: "a log to nowhere", conf: "access_log syslog:tag=a;" },
  ],
};
