/** Conditions are true where nginx's are, and what their blocks set counts as in nginx. */
import { expect, it } from "vitest";
import { describeWithNginx } from "../../nginx/harness/nginx.ts";
import { get } from "./nginx-oracle.ts";
import { Both } from "./same-as-nginx.ts";

const http = `
  map $arg_m $mapped { default ""; yes 1; no 0; }
  server { listen unix:%dir%/main.sock;
    set $from "";
    if ($arg_server) { set $from "server:$arg_server"; }
    if ($arg_gone = yes) { return 410; }
    if ($uri ~ ^/old/(?<tail>.*)$) { rewrite ^ /show/$1 break; }
    if ($uri ~* ^/MOVED/(.*)$) { return 301 /new/$1; }
    if ($arg_to) { rewrite ^ /show/rewritten last; }

    location /show { return 200 "$uri | $args | $from | $tail | $1"; }
    location /truth { if ($arg_a) { return 200 yes; } return 200 no; }
    location /mapped { if ( $mapped ) { return 200 yes; } return 200 no; }
    location /equals { if ($arg_a = "x$arg_b") { return 200 yes; } return 200 no; }
    location /differs { if ($arg_a != x) { return 200 yes; } return 200 no; }
    location /empty { if ($arg_a = "") { return 200 yes; } return 200 no; }
    location /matches { if ($arg_a ~ "^(x+)(y*)$") { return 200 "yes $1 $2"; } return 200 "no $1"; }
    location /any-case { if ($arg_a ~* ^X+$) { return 200 yes; } return 200 no; }
    location /not-matches { if ($arg_a !~ "^(x+)$") { return 200 "yes [$1]"; } return 200 "no [$1]"; }
    location /not-any-case { if ($arg_a !~* ^X+$) { return 200 yes; } return 200 no; }
    location /inline { if ($arg_a ~ (?i)^x$) { return 200 yes; } return 200 no; }
    location /method { if ($request_method !~ ^(GET|HEAD)$) { return 405; } return 200 get; }
    location /files {
      set $seen "";
      if (-f $arg_a) { set $seen "\${seen}f"; }
      if (-d $arg_a) { set $seen "\${seen}d"; }
      if (-e $arg_a) { set $seen "\${seen}e"; }
      if (-x $arg_a) { set $seen "\${seen}x"; }
      if (!-f $arg_a) { set $seen "\${seen}!f"; }
      if (!-d $arg_a) { set $seen "\${seen}!d"; }
      if (!-e $arg_a) { set $seen "\${seen}!e"; }
      if (!-x $arg_a) { set $seen "\${seen}!x"; }
      return 200 $seen;
    }
    location /set {
      set $x a;
      if ($arg_a) { set $x b; }
      if ($arg_b) { set $x "$x$x"; break; set $x never; }
      return 200 $x;
    }
    location /break { if ($arg_a) { break; } return 200 on; proxy_pass http://engines; }
    location /rewritten {
      if ($arg_last) { rewrite ^ /show/last last; }
      if ($arg_break) { rewrite ^/rewritten(.*)$ /broken$1 break; }
      if ($arg_none) { rewrite ^/rewritten(.*)$ /show/none$1; }
      if ($arg_redirect) { rewrite ^ /elsewhere redirect; }
      proxy_pass http://engines/replaced;
    }
    location /passes {
      if ($arg_a) { proxy_pass http://others; }
      if ($arg_b) { set $x 1; }
      if ($arg_c) { proxy_pass http://dead; error_page 502 = /show/dead; }
      proxy_pass http://engines;
      error_page 502 /show/outer;
    }
    location /kept-uri/ {
      if ($arg_a) { error_page 404 = /show; }
      if ($arg_b) { return 404; }
      proxy_pass http://engines/replaced/;
    }
    location = /exact { if ($arg_a) { proxy_pass http://others; } proxy_pass http://engines; }
    location ~ ^/regex/(\\d+) { if ($arg_a ~ (.)) { proxy_pass http://others; } return 200 "$1"; }
    location ~ ^/regex-pass/(\\d+) { if ($arg_a ~ (.)) { proxy_pass http://others/x$1; } proxy_pass http://engines; }
    location /pages {
      error_page 404 = /show/outer;
      if ($arg_a) { error_page 404 = /show/inner; }
      if ($arg_b) { return 404; }
      return 404;
    }
    location /to-named { error_page 403 = @named; return 403; }
    location @named { if ($arg_a) { proxy_pass http://others; } proxy_pass http://engines; }
    location / { return 200 "root $from"; }
  }`;

const targets = `
  / /?server=1 /?server=0 /?gone=yes /?gone=no /old/a/b?c=d /moved/a /MOVED/ /x?to=1
  /truth /truth?a= /truth?a=0 /truth?a=00 /truth?a=x /mapped /mapped?m=yes /mapped?m=no
  /equals?a=x /equals?a=xy&b=y /equals?a=X /differs /differs?a=x /differs?a=y /empty /empty?a=1
  /matches?a=xxy /matches?a=z /any-case?a=xX /any-case?a=y /not-matches?a=xx /not-matches?a=y
  /not-any-case?a=xx /not-any-case?a=y /inline?a=X /inline?a=y /method
  /files?a=/etc/passwd /files?a=/etc /files?a=/bin/sh /files?a=/nowhere /files /files?a=/etc/passwd/x
  /set /set?a=1 /set?b=1 /set?a=1&b=1 /break /break?a=1
  /rewritten/x /rewritten/x?last=1 /rewritten/x?break=1 /rewritten/x?none=1 /rewritten/x?redirect=1
  /passes/x /passes/x?a=1 /passes/x?a=1&b=1 /passes/x?b=1 /passes/x?c=1 /passes/x?a=1&c=1 /passes/x?c=1&b=1
  /kept-uri/x%20y?a=1 /kept-uri/x /kept-uri/x?b=1 /kept-uri/x?a=1&b=1
  /exact /exact?a=1 /regex/12 /regex/12?a=xy /regex-pass/12 /regex-pass/12?a=x
  /pages /pages?a=1 /pages?a=1&b=1 /pages?b=1 /to-named /to-named?a=1
`
  .trim()
  .split(/\s+/);

describeWithNginx("conditions as nginx has them", () => {
  const both = Both.forTests(http);
  both.agreeOn(targets);

  it("a method that is not meant", async () => {
    const text = get("/method").replace("GET", "DELETE");
    expect(both.ours(text)).toEqual(await both.theirs(text));
  });
});
