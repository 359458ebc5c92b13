/** Conditions, rewrites and maps lead a request to the same engine with the same target. */
import { get, post, type Subject, type WireCase } from "../harness/case.ts";

/** What a request comes to, told by the response. */
const told = (name: string, conf: string, ...targets: readonly string[]): WireCase => ({
  name,
  conf,
  clients: targets.map((target) => get(target)),
});

export const rewrites: Subject = {
  subject: "rewrites",
  cases: [
    told(
      "a condition chooses the engine, and the last one counts",
      `location / {
        if ($arg_a) { proxy_pass http://%engine%; access_log off; }
        if ($arg_b) { set $x 1; }
        return 200 "$x";
      }
      location /pass { if ($arg_a) { return 403; } proxy_pass http://%engine%/to; }`,
      "/?b=1",
      "/pass/x?a=1",
      "/pass/x?b=1",
    ),
    {
      name: "a body is forwarded where a condition passes",
      conf: "location / { if ($request_method = POST) { proxy_pass http://%engine%; } return 405; }",
      clients: [post("/a?b", "body"), get("/a")],
    },
    told(
      "a nested expression goes before one outside",
      `location /a/ { location ~ x$ { proxy_pass http://%engine%; } return 200 prefix; }
      location ~ x$ { return 200 outside; }`,
      "/a/x",
      "/a/y",
      "/b/x",
    ),
    told(
      "a target after a rewrite",
      `location /b/ { rewrite ^/b/(.*)$ /c/$1?d=$1 break; proxy_pass http://%engine%; }
      location /args/ { set $args "e=$arg_f"; proxy_pass http://%engine%; }`,
      "/b/x%20y?z",
      "/b/%C3%A9",
      "/args/a%20b?f=g",
      "/args/",
    ),
    told(
      "a rate that a step sets",
      `location /set { set $limit_rate $arg_l; return 200 "$limit_rate"; }
      location /own { limit_rate 1k; return 200 "$limit_rate"; }
      location /over { limit_rate 1k; set $limit_rate $arg_l; return 200 "$limit_rate"; }`,
      "/set?l=40k",
      "/set?l=x",
      "/set",
      "/own",
      "/over?l=2k",
      "/over?l=x",
    ),
    {
      name: "a map's captures end with its value",
      http: 'map $arg_a $%id%m { "~x(.)" $1; default none; }',
      conf: 'location ~ ^/(.*)$ { return 200 "$%id%m $1"; }',
      request: get("/path?a=xy"),
      differs: "map-captures",
    },
  ],
};
