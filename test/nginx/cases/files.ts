/** Files, and what is responded with where there are none, are nginx's. */
import { get, post, type Subject, type WireCase } from "../harness/case.ts";

const files = {
  "index.html": "<p>index</p>\n",
  "a.txt": "hello\n",
  "no-ending": "plain\n",
  "page.css": "p {}\n",
  "50x.html": "<p>sorry</p>\n",
  "folder/index.html": "folder\n",
  "folder/x.HTML": "upper\n",
  "empty/x": "x",
  "sp ace/é.html": "text\n",
  "large.bin": "0123456789abcdef".repeat(20_000),
  ".hidden": "hidden\n",
};
const root = "root %dir%/%id%;";

const seen = (name: string, conf: string, ...requests: readonly string[]): WireCase => ({
  name,
  files,
  conf: `${root} ${conf}`,
  clients: requests.map((one) => (one.startsWith("/") ? get(one) : one)),
});
const head = (path: string) => get(path).replace("GET", "HEAD");
const modified = "Tue, 02 Jan 2024 03:04:05 GMT";
const older = "Mon, 01 Jan 2024 03:04:05 GMT";
const newer = "Wed, 03 Jan 2024 03:04:05 GMT";
const tag = '"65937d25-6"';
const asked = (...lines: readonly string[]) => get("/a.txt", ...lines);

export const fileCases: Subject = {
  subject: "files",
  cases: [
    seen(
      "files of a folder",
      "location / { }",
      "/a.txt",
      "/",
      "/folder/",
      "/folder/x.HTML",
      "/no-ending",
      "/page.css",
      "/.hidden",
      "/sp%20ace/%C3%A9.html",
      "/large.bin",
      head("/a.txt"),
      head("/large.bin"),
    ),
    seen(
      "what is not there, or no file",
      "location / { }",
      "/nowhere",
      "/folder",
      "/folder?a=b",
      "/sp%20ace",
      "/empty/",
      "/nowhere/",
      "/a.txt/",
      "/a.txt/x",
      "/a.txt%00",
      post("/a.txt", "x"),
      post("/nowhere", "x"),
      get("/a.txt").replace("GET", "DELETE"),
    ),
    seen(
      "files of the server where no location is",
      "location /a { return 204; }",
      "/folder/",
      "/x",
    ),
    seen(
      "an alias",
      `location /al/ { alias %dir%/%id%/; }
      location /one { alias %dir%/%id%/a.txt; }
      location ~ ^/re/(.*)$ { alias %dir%/%id%/folder/$1; }
      location /out/ { alias %dir%/%id%/; location ~ css$ { default_type text/x-own; } location /out/folder/ { } }`,
      "/al/a.txt",
      "/al/",
      "/al/folder",
      "/al/nowhere",
      "/one",
      "/re/index.html",
      "/re/x",
      "/out/page.css",
      "/out/folder/index.html",
    ),
    seen(
      "types",
      `default_type text/x-default;
      types { text/x-css css CSS2; text/x-txt txt; }
      location / { }
      location /own/ { alias %dir%/%id%/; types { text/x-own txt; } default_type ""; }
      location /return { return 200 text; }
      location /return/a.txt { return 200 text; }
      location /return/none { default_type ""; return 200 text; }`,
      "/a.txt",
      "/page.css",
      "/no-ending",
      "/index.html",
      "/own/a.txt",
      "/own/page.css",
      "/return",
      "/return/a.txt",
      "/return/none",
      "/return/x.html",
    ),
    seen(
      "try_files",
      `location /first/ { try_files /nowhere $uri/no /a.txt =404; }
      location /folder { try_files $uri $uri/ =404; }
      location /status { try_files /nowhere =403; }
      location /named { try_files /nowhere @named; }
      location /path { try_files /nowhere /then?a=$arg_b; }
      location /passes { try_files /a.txt =404; proxy_pass http://%engine%; }
      location /to-engine { try_files $uri @engine; }
      location /al/ { alias %dir%/%id%/; try_files $uri /al/a.txt =404; }
      location /loop { try_files /nowhere /loop; }
      location /then { return 200 "$uri $args $request_uri"; }
      location @named { return 200 "$uri $request_filename"; }
      location @engine { proxy_pass http://%engine%; }
      location / { try_files $uri $uri/index.html /folder/index.html; }`,
      "/first/x",
      "/folder",
      "/folder/",
      "/folder/x.HTML",
      "/status",
      "/named",
      "/path?b=c",
      "/passes",
      "/to-engine/a%20b?c",
      "/al/no-ending",
      "/al/nowhere",
      "/loop",
      "/",
      "/a.txt",
      "/nowhere/at/all",
    ),
    seen(
      "index",
      `index no.html index.html;
      location / { }
      location /folder/ { index x.HTML; }
      location /empty/ { index no.html /a.txt; }
      location ~ HTML$ { return 200 "by expression $uri"; }`,
      "/",
      "/folder/",
      "/empty/",
    ),
    seen(
      "error pages that are files",
      `error_page 404 /50x.html; error_page 403 =200 /50x.html; error_page 410 = /50x.html;
      location / { }
      location /gone { return 410; }
      location /forbidden { return 403; }
      location /fails { proxy_pass http://%engine%; proxy_read_timeout 1; error_page 502 504 /50x.html; }`,
      "/nowhere",
      "/gone",
      "/forbidden",
      get("/nowhere", `If-None-Match: ${tag}`, "Range: bytes=0-1"),
      head("/nowhere"),
    ),
    {
      name: "an error page for an engine that is gone",
      files,
      conf: `${root} location / { proxy_pass http://%engine%; error_page 502 /50x.html; }
        location = /50x.html { }`,
      engine: "refuses",
      clients: [get("/a"), post("/a", "body")],
    },
    seen(
      "a file that has not changed",
      "location / { } location /off/ { alias %dir%/%id%/; etag off; if_modified_since off; } location /before/ { alias %dir%/%id%/; if_modified_since before; }",
      asked(`If-Modified-Since: ${modified}`),
      asked(`If-Modified-Since: ${newer}`),
      asked(`If-Modified-Since: ${older}`),
      asked("If-Modified-Since: x"),
      asked(`If-None-Match: ${tag}`),
      asked(`If-None-Match: "x", W/${tag}`),
      asked("If-None-Match: *"),
      asked('If-None-Match: "x"'),
      asked(`If-None-Match: "x"`, `If-Modified-Since: ${modified}`),
      asked(`If-None-Match: ${tag}`, `If-Modified-Since: ${older}`),
      asked(`If-Match: ${tag}`),
      asked('If-Match: "x"'),
      asked(`If-Unmodified-Since: ${older}`),
      asked(`If-Unmodified-Since: ${newer}`),
      get("/off/a.txt", `If-Modified-Since: ${modified}`),
      get("/before/a.txt", `If-Modified-Since: ${newer}`),
      head("/a.txt").replace("\r\n\r\n", `\r\nIf-Modified-Since: ${modified}\r\n\r\n`),
    ),
    seen(
      "a part of a file",
      "location / { }",
      asked("Range: bytes=1-3"),
      asked("Range: bytes=2-"),
      asked("Range: bytes=-2"),
      asked("Range: bytes=-100"),
      asked("Range: bytes=1-100"),
      asked("Range: bytes=100-"),
      asked("Range: bytes=6-"),
      asked("Range: bytes=3-1"),
      asked("Range: lines=1-2"),
      asked("Range: bytes=1-2", `If-Range: ${tag}`),
      asked("Range: bytes=1-2", 'If-Range: "x"'),
      asked("Range: bytes=1-2", `If-Range: ${modified}`),
      asked("Range: bytes=1-2", `If-Range: ${newer}`),
      get("/large.bin", "Range: bytes=100000-250000"),
      head("/a.txt").replace("\r\n\r\n", "\r\nRange: bytes=1-3\r\n\r\n"),
    ),
    seen(
      "variables of files",
      `location / { return 200 "$document_root $request_filename $realpath_root"; }
      location /al/ { alias %dir%/%id%/folder/; return 200 "$document_root $request_filename"; }
      location /if { if (-f $document_root/a.txt) { return 200 yes; } return 200 no; }
      location /unless/ { if (!-e $request_filename) { return 200 "none"; } return 200 some; }`,
      "/x/y",
      "/al/x",
      "/if",
      "/unless/x",
    ),
    {
      ...seen(
        "a path that leaves an alias",
        "location /al { alias %dir%/%id%/folder/; }",
        "/al../a.txt",
      ),
      differs: "alias-traversal",
    },
    {
      ...seen("several ranges", "location / { }", asked("Range: bytes=0-1,3-4")),
      differs: "several-ranges",
    },
    {
      ...seen(
        "an error page that is not there",
        "error_page 410 /no.html; location / { } location /x { return 410; }",
        "/x",
      ),
      differs: "missing-error-page",
    },
  ],
};
