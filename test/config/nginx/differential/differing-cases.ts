/** Configurations that only nginx or only we accept, with the reason. */
import { engine, location, server, upstream } from "./blocks.ts";

export const differingCases: [text: string, reason: string, weAccept: boolean][] = [
  [
    "server { listen 9998;; }",
    "a doubled semicolon is harmless, and the original's sample has one",
    true,
  ],
  ["!http { server { listen 9998; } }", "an events block says nothing that is needed", true],
  ["include mime.types;", "content types have no effect, so their list need not be there", true],
  [
    "access_log logs/a.log late; log_format late '$uri';",
    "the order of formats and logs does not matter",
    true,
  ],
  [
    server("large_client_header_buffers 4 100;"),
    "there is no pool of memory that a buffer must fit",
    true,
  ],
  [
    upstream("server backend-that-does-not-exist:80;"),
    "hosts are resolved when they are used",
    true,
  ],
  [server("listen no-such-host:80;"), "hosts are resolved when they are used", true],
  [engine("slow_start=5s"), "known from nginx's commercial version", true],
  [
    "!user nobody-of-this-name; pid nginx.pid; events {} http { server { listen 9998; } }",
    "users are not changed",
    true,
  ],
  ["!pid nginx.pid; events {}", "a proxy that serves nothing is a mistake", false],
  ["!pid nginx.pid; events {} http { }", "a proxy that serves nothing is a mistake", false],
  [server("server_name a.*.b;"), "a star inside a name matches nothing", false],
  [
    "!events {} load_module ngx_http_prefill_module.so; http { server { listen 9998; } }",
    "built in, wherever it is loaded",
    true,
  ],
  [server("location / { deny all; }"), "never without effect", false],
  [server("add_header A b;"), "never without effect", false],
  [server("auth_basic x;"), "never without effect", false],
  [server("set $args a;"), "not built: only variables of the configuration's own are set", false],
  [server("return 99 a;"), "not a status", false],
  [server("return 200 $request_body;"), "a variable that has no value here", false],
  [
    server("location ~ '(?<Name>a)' { return 200 $name; }"),
    "variables keep their letter case",
    false,
  ],
  [server("location ~ 'a(?>b)' {}"), "JavaScript has no atomic groups", false],
  [server("error_page 404 @nowhere;"), "told at start rather than when it is needed", false],
  [location("proxy_pass https://127.0.0.1;"), "engines are reached over http", false],
  [location("proxy_pass $arg_target;"), "the scheme must be written", false],
  [
    location("proxy_pass http://127.0.0.1; proxy_set_header A 1; proxy_set_header a 2;"),
    "a header is sent once",
    false,
  ],
  [upstream('hash ""; server 127.0.0.1;'), "an empty key sends everything to one engine", false],
  ["map $uri $x { hostnames; a b; }", "not built", false],
  ["map $uri $http_x { a b; }", "a built-in variable stays what it is", false],
  ["access_log syslog:server=127.0.0.1;", "not built", false],
  ["access_log logs/a.log combined if=$arg_a;", "not built", false],
  ["limit_req_zone $binary_remote_addr zone=a:1m rate=1r/s;", "never without effect", false],
];
