/** Configurations that nginx and we reject in different words. */
import { location, server, upstream } from "./blocks.ts";

export const rejectedCases: string[] = [
  server("location ~ ( {}"),
  server("if () { }"),
  server("server_name ~(;"),
  server("rewrite ( /a;"),
  "map $uri $x { ~( c; }",
  'log_format a "$";',
  upstream("server *:80;"),
  server("ssl_protocols TLSv1.4;"),
  server("ssl_verify_client maybe;"),
  server("ssl_session_cache shared:a;"),
  server("ssl_session_cache shared:a:1;"),
  server("ssl_session_tickets maybe;"),
  server("ssl_certificate a.crt;"),
  location("proxy_pass https://127.0.0.1; proxy_ssl_verify on;"),
  location("proxy_pass https://127.0.0.1; proxy_ssl_certificate a.crt;"),
  "!",
  "!events { worker_connections 0; }",
  "!events {} load_module x.so;",
  "!events {} include nowhere.conf;",
  "!load_module nowhere.so; events {}",
  "!stream {} events {}",
];
