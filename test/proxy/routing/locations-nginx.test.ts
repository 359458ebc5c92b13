/** A path leads to the location that nginx would take, with its captures. */
import { expect, it } from "vitest";
import { describeWithNginx } from "../../nginx/harness/nginx.ts";
import { get } from "./nginx-oracle.ts";
import { Both } from "./same-as-nginx.ts";

const locations = `
  server { listen unix:%dir%/main.sock;
    location = / { return 200 "root alone"; }
    location / { return 200 root; }
    location /images { return 200 images; }
    location = /images/x.gif { return 200 "x.gif alone"; }
    location ^~ /images/raw/ { return 200 "raw, no expressions"; }
    location /images/raw/deep { return 200 "deeper than raw"; }
    location ~ \\.(gif|jpg)$ { return 200 "picture $1"; }
    location ~* \\.(JPG|png)$ { return 200 "any case $1"; }
    location ~ ^/v1/(?<kind>[a-z]+)/(\\w+)$ { return 200 "$kind and $2 by $1"; }
    location ~ ^/v1/ { return 200 "second expression"; }
    location ^~ /v1/fast { return 200 fast; }
    location /v1/completions { return 200 "never: an expression comes first"; }
    location = /v1/completions { return 200 "exact completions"; }
    location ~ ^/opt(/(\\d+))?$ { return 200 "opt [$1] [$2] [$3]"; }
    location /sub/ { return 200 sub; }
    location /%25 { return 200 percent; }
    location "/sp ace" { return 200 space; }
    location ~ ^/lost/(.*)$ { rewrite ^/other x; return 200 "lost [$1]"; }
    location /out/ {
      location ~ \\.in$ { return 200 "in of out"; }
      location ~ ^/out/(\\d+)/ {
        location ~ /(\\w+)\\.deep$ { return 200 "deep $1"; }
        return 200 "number $1";
      }
      location /out/a/ { return 200 "a of out"; }
      location ^~ /out/b/ { location ~ b$ { return 200 "b of b"; } return 200 "b of out"; }
      location = /out/c { return 200 "c alone"; }
      location /out/d/ { location /out/d/e/ { return 200 "e of d"; } return 200 "d of out"; }
      return 200 out;
    }
    location ^~ /closed/ {
      location ~ \\.gif$ { return 200 "gif in closed"; }
      location /closed/x { return 200 "x in closed"; }
      return 200 closed;
    }
    location /twin/ {
      location /twin/ { location ~ x$ { return 200 "x of twin"; } return 200 twin; }
      location ~ y$ { return 200 y; }
      return 200 "outer twin";
    }
    location /long/ { location /long/er/est { return 200 "never: longer"; } return 200 long; }
    location /long/er { return 200 longer; }
    location /slash { location /slash/in/ { proxy_pass http://engines; } return 200 slash; }
  }`;

const paths = `
  / /x /images /images/ /images/x.gif /images/y.gif /images/y.GIF /images/y.jpg /images/y.JPG
  /images/y.png /images/raw /images/raw/ /images/raw/y.gif /images/raw/deeper/y.gif /imagesx
  /v1 /v1/ /v1/models/x /v1/models/x/y /v1/fast /v1/fast/x /v1/faster/x.gif /v1/completions
  /v1/completions/x /v1/completions/x.gif /opt /opt/ /opt/12 /opt/12/ /sub /sub/ /sub/x.gif
  /images/../v1/fast //images//y.gif /%69mages/y.gif /images%2fy.gif /a/%2e%2e/opt /x?y.gif
  /lost/x /out/ /out/x.in /out/x.gif /out/12/ /out/12/x.deep /out/12/x.in /out/12/x.gif /out/a/ /out/a/x
  /out/a/x.gif /out/a/x.in /out/b/x.gif /out/b/x.in /out/b/ab /out/c /out/c.in /out/d/x /out/d/e/x /out/d/e/x.in
  /out/d/e/x.gif /closed/x.gif /closed/x /closed/x.jpg /closed/y /twin/x /twin/y /twin/z /long/er/est /long/x
  /slash/in /slash/in/ /slash/in/x?y
  /sp%20ace /sp%20acex /%2525 /%25 /images/raw/../y.jpg /v1/models/%78 /X.gif?a=b /V1/x
`
  .trim()
  .split(/\s+/);

describeWithNginx("locations as nginx takes them", () => {
  const both = Both.forTests(locations);
  both.agreeOn(paths);

  it("above the root leads nowhere in both", async () => {
    expect((await both.theirs(get("/a/../../b"))).status).toBe(400);
    expect(() => both.ours(get("/a/../../b"))).toThrow("bad path");
  });
});
