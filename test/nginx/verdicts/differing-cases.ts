/** Configurations that only nginx or only we accept, with the entry of the list of differences that says why. */
import type { DifferenceId } from "../../../src/config/docs/nginx-differences.ts";
import { engine, location, server, upstream } from "./blocks.ts";

export const differingCases: [text: string, difference: DifferenceId, weAccept: boolean][] = [
  ["server { listen 9998;; }", "lenient-syntax", true],
  ["!http { server { listen 9998; } }", "lenient-syntax", true],
  ["include mime.types;", "lenient-syntax", true],
  ["access_log logs/a.log late; log_format late '$uri';", "lenient-syntax", true],
  [server("large_client_header_buffers 4 100;"), "buffer-sizes", true],
  [upstream("server backend-that-does-not-exist:80;"), "late-resolution", true],
  [server("listen no-such-host:80;"), "late-resolution", true],
  [engine("slow_start=5s"), "commercial", true],
  [
    "!user nobody-of-this-name; pid nginx.pid; events {} http { server { listen 9998; } }",
    "user",
    true,
  ],
  ["!pid nginx.pid; events {}", "no-servers", false],
  ["!pid nginx.pid; events {} http { }", "no-servers", false],
  [server("server_name a.*.b;"), "cannot-happen", false],
  [
    "!events {} load_module ngx_http_prefill_module.so; http { server { listen 9998; } }",
    "modules",
    true,
  ],
  [server("location / { limit_except GET { deny all; } }"), "rejected", false],
  ["access_log syslog:server=unix:/dev/log;", "syslog-sockets", false],
  [server('add_header "A b" c;'), "header-names", false],
  [server("auth_basic x;"), "rejected", false],
  [server("return 99 a;"), "cannot-happen", false],
  [server("location ~ 'a(?>b)' {}"), "regular-expressions", false],
  [server("error_page 404 @nowhere;"), "cannot-happen", false],
  [location("proxy_pass $arg_target;"), "variable-hosts", false],
  [
    location("proxy_pass http://127.0.0.1; proxy_set_header A 1; proxy_set_header a 2;"),
    "cannot-happen",
    false,
  ],
  [upstream('hash ""; server 127.0.0.1;'), "cannot-happen", false],
  ["map $uri $args { a b; }", "own-variables", false],
];
