/** An engine is asked for the path and query that nginx would ask it for. */
import { describe, expect, it } from "vitest";
import { requestUri } from "../../../src/proxy/routing/route.ts";
import { describeWithNginx } from "../../nginx/harness/nginx.ts";
import { compile, configOf, see } from "./compiled.ts";
import { contextOf, request } from "./contexts.ts";
import { get } from "./nginx-oracle.ts";
import { Both } from "./same-as-nginx.ts";

const http = `
  map $arg_to $pool { default engines; others others; "~^(?<short>o)$" others; }
  server { listen unix:%dir%/main.sock;
    location / { proxy_pass http://engines; }
    location /slash/ { proxy_pass http://engines/; }
    location /no-slash { proxy_pass http://engines/; }
    location /swap/ { proxy_pass http://engines/other/path/; }
    location /glue/ { proxy_pass http://engines/glued; }
    location = /exact { proxy_pass http://engines/one; }
    location ^~ /first/ { proxy_pass http://engines/1/; }
    location /query/ { proxy_pass http://engines/q?fixed=1; }
    location ~ ^/regex/(.*)$ { proxy_pass http://engines; }
    location ~ ^/capture/([^/]*)/(.*)$ { proxy_pass http://engines/$2/$1; }
    location /variable/ { proxy_pass http://$pool; }
    location /variable-uri/ { proxy_pass http://$pool/all$request_uri; }
    location /variable-path/ { proxy_pass http://engines$request_uri; }
    location /with-args/ { proxy_pass http://$pool/x$is_args$args; }
    location /only-args/ { proxy_pass http://$pool?$args; }
    location /broken/ { rewrite ^/broken/(.*)$ /fixed/$1 break; proxy_pass http://engines/ignored/; }
    location /broken-variable/ { rewrite ^/broken-variable/(.*)$ /$1 break; proxy_pass http://$pool; }
  }`;

const targets = `
  / /a /a?b=c /a? /a?? /a%20b /a%2Fb /a//b/./c/../d /a%3Fb?c /a#b
  /slash/ /slash/a /slash/a?b /slash/a%20b /slash/%3F%23%25 /slash/a%2Fb /slash//a /slash/../slash/x
  /no-slash /no-slash/a /no-slasha /swap/ /swap/a?b=c&d /swap/%C3%A9 /glue/a /exact /exact?a
  /first/x.y /query/a /query/a?b /regex/a%20b?c /regex/ /capture/a/b/c /capture/%2541/b?c
  /variable/a%20b?c=d /variable/a?to=others /variable/a?to=o /variable-uri/a%20b?to=others
  /variable-path/a%20b?c /with-args/a?b=c /with-args/a /only-args/a?b=c
  /broken/a%20b?c /broken/ /broken-variable/a%20b?to=others
  /plus/a+b /slash/a+b /slash/a;b:c@d&e=f,g$h!i*j(k)l'm~n-o_p.q
`
  .trim()
  .split(/\s+/)
  .filter((target) => !target.includes("#"));

describeWithNginx("targets as nginx makes them", () => {
  const both = Both.forTests(http);
  both.agreeOn(targets);

  it.each([
    "GET http://a.example/slash/x?y HTTP/1.1",
    "GET http://a.example/x?y HTTP/1.1",
    "GET http://a.example HTTP/1.1",
  ])("%s", async (line) => {
    const text = get("/").replace("GET / HTTP/1.1", line);
    expect(both.ours(text)).toEqual(await both.theirs(text));
  });
});

describe("what a client decodes", () => {
  const servers = compile(
    configOf(`
      upstream engines { server a:1; }
      server {
        location /raw/ { proxy_pass http://engines$uri; }
        location /args/ { rewrite ^/args/(.*)$ /x?q=$1&u=$uri break; proxy_pass http://engines; }
        location ~ ^/named/(?<name>.*)$ { proxy_pass http://engines/$name?n=$name; }
        location /kept/ { proxy_pass http://engines/k/; }
        location / { rewrite ^/(.*)$ $1 break; proxy_pass http://engines; }
      }`),
  );

  // U+010D and U+010A are CR and LF when only their low bytes are written.
  const poison = "a%20HTTP/1.1%C4%8D%C4%8AX:%20y%C2%85%E2%80%A8";

  it.each(["raw", "args", "named", "kept", "none"])("cannot end a request line (%s)", (place) => {
    const { status, body } = see(servers, request(`/${place}/${poison}`));
    expect(status).toBe(200);
    expect(body).toMatch(/^engines gets \/[!-~]*$/);
  });

  it("is a path that begins with a slash, whatever a rewrite made of it", () => {
    expect(see(servers, request("/a/b")).body).toBe("engines gets /a/b");
  });
});

it("a query that was set is the one that engines get", () => {
  const context = contextOf(request("/a%20b?c=d"));
  expect(requestUri(context)).toBe("/a%20b?c=d");
  context.args = "e=f";
  expect(requestUri(context)).toBe("/a%20b?e=f");
});

it("a target of * stays one", () => {
  const context = contextOf("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
  expect(requestUri(context)).toBe("*");
});
