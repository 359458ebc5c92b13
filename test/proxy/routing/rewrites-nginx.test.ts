/** Rewrites, their loops, their queries, and what engines get after them are nginx's. */
import { expect, it } from "vitest";
import { describeWithNginx } from "../../nginx/harness/nginx.ts";
import { get } from "./nginx-oracle.ts";
import { Both } from "./same-as-nginx.ts";

const http = `
  server { listen unix:%dir%/main.sock;
    set $color red;
    rewrite ^/server/last/(.*)$ /show/$1 last;
    rewrite ^/server/break/(.*)$ /mapped/$1 break;
    rewrite ^/server/internal$ /hidden;
    rewrite ^/server/gone$ /gone redirect;

    location /show { return 200 "$uri ? $args | $1"; }
    location /hidden { internal; return 200 "hidden $uri"; }
    location /none/ { rewrite ^/none/(.*)$ /show/$1; set $color blue; }
    location /none-then-break/ { rewrite ^/none-then-break/(.*)$ /show/$1; break; proxy_pass http://engines; }
    location /kept/ { rewrite ^ /show; break; proxy_pass http://engines/replaced; }
    location /kept-if/ { rewrite ^ /show; if ($arg_a) { break; } proxy_pass http://engines/replaced; }
    location /decoded/ { rewrite ^ $arg_r? redirect; }
    location /decoded-path/ { rewrite ^/decoded-path(.*)$ http://b.example$1 permanent; }
    location ~ "^/quoted/(?<it>\\Qa.b\\E)$" { return 200 $it; }
    location /empty-name { return 200 "[$arg_] [$http_]"; }
    location '/od"d#/' { proxy_pass http://engines; }
    location /several/ { rewrite a b; rewrite b c; rewrite ^/severcl(.*)$ /show$1 last; return 200 "no $uri"; }
    location /last/ { rewrite ^/last/(.*)$ /show/$1 last; return 200 never; }
    location /break/ { rewrite ^/break/(.*)$ /broken/$1 break; proxy_pass http://engines; }
    location /break-uri/ { rewrite ^/break-uri/(\\d+)$ /n/$1 break; proxy_pass http://engines/mapped/; }
    location /mapped/ { proxy_pass http://others/to/; }
    location /return/ { rewrite ^/return/(.*)$ /show/$1; return 200 "returned $uri"; }
    location /redirect/ { rewrite ^/redirect/(.*)$ /to/$1 redirect; }
    location /permanent/ { rewrite ^/permanent/(.*)$ /to/$1?x=1 permanent; }
    location /dropped/ { rewrite ^/dropped/(.*)$ /to/$1? permanent; }
    location /absolute/ { rewrite ^/absolute/(.*)$ http://b.example/$1; return 200 never; }
    location /scheme/ { rewrite ^/scheme/(.*)$ $scheme://$host/$1 permanent; }
    location /args/ { rewrite ^/args/(.*)$ /show?q=$1 last; }
    location /args-alone/ { rewrite ^/args-alone/(.*)$ /show?q=$1? last; }
    location /args-none/ { rewrite ^/args-none/(.*)$ /show/$1? last; }
    location /args-proxy/ { rewrite ^/args-proxy/([^/]*)/(.*)$ /b/$2?q=$1 break; proxy_pass http://engines; }
    location /loop { rewrite ^ /loop last; }
    location /long { rewrite ^/long(.*)$ /long$1x; }
    location ~ "^/count/(x{10})$" { return 200 "ten"; }
    location ~ "^/count/(x{11})$" { return 200 "eleven"; }
    location /count { rewrite ^(.*)$ $1x last; }
    location /empty { rewrite ^/empty(.*)$ $1 break; proxy_pass http://engines; }
    location /named { rewrite ^/named/(?<first>[^/]+)/(?<rest>.*)$ /show/$rest/$first/$2$1 last; }
    location /colored { return 200 $color; }
    location /return-302 { return 302 /to$request_uri; }
    location /return-bare { return 301 http://b.example$uri; }
    location /return-other { return 307 other; }
    location /return-300 { return 300 text; }
    location /return-url { return http://b.example/; }
    location /return-204 { return 204; }
    location /return-403 { return 403; }
    location /return-403-text { return 403 "no $uri"; }
    location / { return 404; }
  }`;

const targets = `
  /server/last/a /server/last/a?b=c /server/break/a?b=c /server/internal /server/gone?a=b /hidden
  /none/a?b /none-then-break/a%20b?c /several/a /several/x /last/a/b /last/ /last /break/a%20b?c=d
  /break/%3Fa%25%23 /break/%C3%A9 /break/a+b&c;d=e@f:g,h!i$j'k(l)m*n~o /break/%22%3C%3E%5C%5E%60%7B%7C%7D
  /break-uri/12?a /break-uri/x%20y?a /return/a /redirect/a%20b /redirect/a?b=c /permanent/a?b
  /permanent/a /dropped/a?b /absolute/a%20b?c /scheme/x /args/a?b /args/a%26b%3Dc%20%2B%23 /args/a&b
  /args/a+b /args/%C3%A9%22%3B /args-alone/a?b /args-none/a?b /args-proxy/a%26b%20c%3F%25/d%26?x=y
  /kept/x /kept-if/x?a=1 /kept-if/x /decoded/?r=http%3A%2F%2Fb.example%2Fa%20b%3Fc%3Dd%2F /decoded/?r=%2Fa%25%41%0d
  /decoded-path/a%2Fb%3Fc%2Fd?e /quoted/a.b /quoted/axb /empty-name?=x /od%22d%23
  /loop /long /count /count/ /count/x /empty/a /named/a/b/c?d /colored /return-302?a=b
  /return-bare /return-other /return-300 /return-url /return-204 /return-403 /return-403-text /x
`
  .trim()
  .split(/\s+/);

describeWithNginx("rewrites as nginx does them", () => {
  const both = Both.forTests(http);
  both.agreeOn(targets);

  it("a path of nothing is an error in both", async () => {
    expect(both.ours(get("/empty")).status).toBe(500);
    expect((await both.theirs(get("/empty"))).status).toBe(500);
  });
});
