/** Where redirects lead: the configuration's own, and those of engines. */
import { get, message, response, type Subject, type WireCase } from "../harness/case.ts";

const own: WireCase[] = [
  ["a path", "return 301 /x;"],
  ["a path, relative", "absolute_redirect off; return 301 /x;"],
  ["a path without the port", "port_in_redirect off; return 302 /x;"],
  ["a path with the server's name", "server_name_in_redirect on; return 303 /x;"],
  ["a path with neither", "server_name_in_redirect on; port_in_redirect off; return 307 /x;"],
  ["two slashes", "return 308 //x/y;"],
  ["a URL", "return 301 http://b.example/x;"],
  ["a URL alone", "return http://b.example/x;"],
  ["the scheme of the request", "return 301 $scheme://$host$request_uri;"],
  ["no path", "return 301 x;"],
  ["a rewrite", "rewrite ^ /x redirect;"],
  ["a rewrite for good", "rewrite ^/(.*)$ /x/$1 permanent;"],
  ["a rewrite, relative", "absolute_redirect off; rewrite ^ /x redirect;"],
].map(([name, conf]) => ({
  name: `to ${name}`,
  conf: `server_name s.example t.example; location / { ${conf} }`,
  request: get("/a?b=c"),
}));

const hosts: WireCase[] = [
  ["capitals", "Host: A.Example"],
  ["a port of its own", "Host: a.example:9"],
  ["a dot at its end", "Host: a.example."],
  ["an address", "Host: 127.0.0.1"],
  ["an address of IPv6", "Host: [::1]:80"],
].map(([name, line]) => ({
  name: `by a host with ${name}`,
  conf: "return 301 /x;",
  request: message(["GET / HTTP/1.1", "Connection: close", line!]),
}));

const slashes: WireCase[] = [
  ["the usual way", ""],
  ["relative", "absolute_redirect off;"],
  ["without the port", "port_in_redirect off;"],
].map(([name, conf]) => ({
  name: `to the location with a slash, ${name}`,
  conf: `${conf} location /a/ { proxy_pass http://%engine%; }`,
  request: get("/a?b=c"),
}));

interface Told {
  readonly rules?: string;
  readonly pass?: string;
  readonly path?: string;
  readonly line: string;
}

const at = "http://%engine%";
const told: Record<string, Told> = {
  "the engine by default": { line: "Location: @/x?y" },
  "the engine by default, with a path": { pass: `${at}/v1/`, line: "Location: @/v1/x" },
  "the engine, off": { rules: "proxy_redirect off;", line: "Location: @/x" },
  "a path, which stays": { line: "Location: /x" },
  "another place, which stays": { line: "Location: http://b.example/x" },
  "the engine, by a rule": { rules: `proxy_redirect ${at}/ /y/;`, line: "Location: @/x" },
  "the engine, by a rule, relative": {
    rules: `absolute_redirect off; proxy_redirect ${at}/ /y/;`,
    line: "Location: @/x",
  },
  "by two rules the first that fits": {
    rules: `proxy_redirect http://b.example/ /b/; proxy_redirect ${at}/x /x; proxy_redirect ${at}/ /y/;`,
    line: "Location: @/x/z",
  },
  "by a rule beside the default": {
    rules: "proxy_redirect default; proxy_redirect http://b.example/ /b/;",
    pass: at,
    line: "Location: http://b.example/x",
  },
  "by the default beside a rule": {
    rules: "proxy_redirect default; proxy_redirect http://b.example/ /b/;",
    line: "Location: @/x",
  },
  "by an expression": {
    rules: "proxy_redirect ~^http://([^:]+):\\d+/(.*)$ http://$1.example/$2;",
    line: "Location: @/x",
  },
  "by an expression that ignores the case": {
    rules: "proxy_redirect ~*^HTTP://B\\.EXAMPLE/(.*) /$1;",
    line: "Location: http://b.example/x",
  },
  "by variables": {
    rules: "proxy_redirect http://$proxy_host/ $scheme://$host/;",
    line: "Location: @/x",
  },
  "an empty replacement": { rules: `proxy_redirect ${at} "";`, line: "Location: @/x" },
  "a refresh": { line: "Refresh: 5; url=@/x" },
  "a refresh by a rule": { rules: `proxy_redirect ${at}/ /y/;`, line: "Refresh: 5; url=@/x" },
  "a refresh without a place": { line: "Refresh: 5" },
  "an empty place": { line: "Location: " },
};

const ofEngines: WireCase[] = Object.entries(told).map(
  ([name, { rules = "", pass = at, line }]) => ({
    name: `an engine says ${name}`,
    conf: `location / { proxy_pass ${pass}; ${rules} }`,
    engine: ({ bytes }) => {
      const host = /^host: (.*)\r$/im.exec(bytes)?.[1] ?? "";
      return response(302, "", line.replace("@", `http://${host}`));
    },
  }),
);

const cookie = "a=b; Domain=.engine.example; path=/v1/x; Secure; SameSite=lax; Max-Age=5";
const ofCookies: WireCase[] = [
  ["a domain", "proxy_cookie_domain engine.example b.example;"],
  ["a domain with a dot", "proxy_cookie_domain .Engine.Example .b.example;"],
  ["a domain by an expression", "proxy_cookie_domain ~\\.?([a-z]+)\\.example$ $1.org;"],
  ["another domain", "proxy_cookie_domain example b.example;"],
  ["the first of two domains", "proxy_cookie_domain x y; proxy_cookie_domain engine.example z;"],
  ["a path", "proxy_cookie_path /v1/ /;"],
  ["another path", "proxy_cookie_path /v2/ /;"],
  [
    "a path by an expression",
    "proxy_cookie_path ~^/V1/(.*)$ /$1; proxy_cookie_path ~*^/V1/(.+)$ /z/$1;",
  ],
  ["both", "proxy_cookie_domain engine.example $host; proxy_cookie_path / $uri/;"],
  ["flags that are there", "proxy_cookie_flags a secure samesite=lax;"],
  ["flags that are not there", "proxy_cookie_flags ~ httponly samesite=strict;"],
  ["flags that go", "proxy_cookie_flags A nosecure nosamesite nohttponly;"],
  [
    "flags of the first that fits",
    "proxy_cookie_flags b secure; proxy_cookie_flags ~c httponly; proxy_cookie_flags ~ nosecure;",
  ],
  ["flags by a variable", "set $f httponly; proxy_cookie_flags ~^a $f $f;"],
  ["nothing", "proxy_cookie_path off; proxy_cookie_domain off; proxy_cookie_flags off;"],
  ["inside nothing", "proxy_cookie_path / /q; if ($arg_none) { set $x 1; }"],
].map(([name, conf]) => ({
  name: `a cookie gets ${name}`,
  conf: `location / { ${conf} proxy_pass ${at}; }`,
  engine: response(
    200,
    "ok",
    `Set-Cookie: ${cookie}`,
    "Set-Cookie: c = d ;HttpOnly;  path = /v1/y ; expires=Thu, 01 Jan 2030 00:00:00 GMT",
    "Set-Cookie: flag; path=/v1/",
  ),
}));

export const redirects: Subject = {
  subject: "redirects",
  cases: [
    ...own,
    ...hosts,
    ...slashes,
    ...ofEngines,
    ...ofCookies,
    {
      name: "by HTTP/1.0 without a host",
      conf: "return 301 /x;",
      request: "GET / HTTP/1.0\r\n\r\n",
    },
    { name: "a word in place of a rule", conf: "proxy_redirect maybe;" },
    { name: "a word in place of a cookie's path", conf: "proxy_cookie_path maybe;" },
    { name: "a flag in place of a flag", conf: "absolute_redirect maybe;" },
  ],
};
