/** Configurations that nginx and we reject in different words. */
import { server, upstream } from "./blocks.ts";

export const rejectedCases: string[] = [
  server("location ~ ( {}"),
  server("if () { }"),
  server("server_name ~(;"),
  server("rewrite ( /a;"),
  "map $uri $x { ~( c; }",
  'log_format a "$";',
  upstream("server *:80;"),
  "!",
  "!events { worker_connections 0; }",
  "!events {} load_module x.so;",
  "!events {} include nowhere.conf;",
  "!load_module nowhere.so; events {}",
  "!stream {} events {}",
];
