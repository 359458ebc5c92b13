/** What variables say, in headers for engines, in responses and in the log. */
import { get, message, post, response, type Subject } from "../harness/case.ts";

const close = "Connection: close";

export const variables: Subject = {
  subject: "variables",
  cases: [
    {
      name: "of the engine's address",
      http: "upstream %id% { server %engine%; }",
      conf:
        "location /address { proxy_set_header X $proxy_host|$proxy_port; proxy_pass http://%engine%; } " +
        "location /upstream { proxy_set_header X $proxy_host|$proxy_port; proxy_pass http://%id%; }",
      clients: [get("/address"), get("/upstream")],
    },
    {
      name: "of nginx's version, and the client's address",
      conf: 'return 200 "$nginx_version|$remote_addr|$https|$scheme|$server_port";',
      log: "$binary_remote_addr|$pipe",
    },
    {
      name: "of cookies and headers that come twice",
      conf: 'return 200 "$http_cookie|$cookie_a|$cookie_c|$http_x_forwarded_for|$proxy_add_x_forwarded_for";',
      request: get(
        "/",
        "Cookie: a=b",
        "Cookie: c=d",
        "X-Forwarded-For: 1.1.1.1",
        "X-Forwarded-For: 2.2.2.2",
      ),
    },
    {
      name: "of a request's body",
      conf: "location / { proxy_pass http://%engine%; }",
      clients: [post("/", "a=b\nc"), get("/")],
      log: "$request_body|$content_length|$request_length",
    },
    {
      name: "of a body that is passed on to engines in a header",
      conf: "location / { proxy_set_header X $request_body; proxy_pass http://%engine%; }",
      request: post("/", "a=b"),
    },
    {
      name: "of an engine's response",
      conf: "location / { proxy_pass http://%engine%; }",
      engine: response(200, "hello", "X-A: b", "Content-Type: a/b"),
      log:
        "$status|$upstream_status|$upstream_response_length|$upstream_bytes_received|$upstream_http_x_a|" +
        "$sent_http_x_a|$sent_http_content_type|$sent_http_content_length|$body_bytes_sent",
    },
    {
      name: "of a chunked response",
      conf: "location / { proxy_pass http://%engine%; }",
      engine: message(["HTTP/1.1 200 OK", "Transfer-Encoding: chunked"], "5\r\nhello\r\n0\r\n\r\n"),
      log: "$status|$upstream_response_length|$body_bytes_sent",
    },
    {
      name: "of a response without a body",
      conf: "location / { proxy_pass http://%engine%; }",
      engine: message(["HTTP/1.1 204 No Content"]),
      log: "$status|$upstream_response_length|$upstream_status|$body_bytes_sent",
    },
    {
      name: "of a try that failed, and the next",
      http: "upstream %id% { server %engine1%; server %engine2%; }",
      conf: "location / { proxy_pass http://%id%; }",
      engines: ["refuses", response(200, "hello")],
      log: "$status|$upstream_response_length|$upstream_status",
    },
    {
      name: "of the status in an error page",
      conf: "error_page 404 /e; location = /e { internal; return 200 'now $status'; } location / { return 404; }",
      log: "$status",
    },
    {
      name: "of the status in a proxied error page",
      conf:
        "error_page 404 = /e; location = /e { internal; proxy_set_header X $status; proxy_pass http://%engine%; } " +
        "location / { return 404; }",
      log: "$status",
    },
    {
      name: "of files",
      conf: 'root /srv; location /a/ { alias /data/; return 200 "$document_root|$request_filename"; } location / { return 200 "$document_root|$request_filename"; }',
      clients: [get("/b/c"), get("/a/d?e")],
    },
    {
      name: "of a request line that is none",
      request: "NONSENSE\r\n\r\n",
      log: "$request|$status",
    },
    {
      name: "of a path and a query",
      conf: 'return 200 "$uri|$document_uri|$request_uri|$args|$query_string|$is_args|$arg_a|$arg_B";',
      request: get("/x%20y/../z?a=1&b=%20&a=2"),
    },
    {
      name: "of a user",
      conf: 'return 200 "$remote_user";',
      request: message([
        "GET / HTTP/1.1",
        "Host: a",
        close,
        "Authorization: Basic YWxhZGRpbjpzZXNhbWU=",
      ]),
    },
  ],
};
