/**
 * Where the proxy differs from nginx on purpose. Cases of `test/nginx/` name these, show them, and fail when there is
 * no such difference any more; docs/nginx.md lists them.
 */

export interface Difference {
  /** By which cases name it. */
  readonly id: string;
  /** What of nginx it concerns, and what it is here: cells of a table. */
  readonly subject: string;
  readonly here: string;
  readonly because: string;
  /** Why no case shows it. */
  readonly unseen?: string;
}

export const nginxDifferences = [
  {
    id: "mapped-addresses",
    subject: "an IPv4 address within IPv6 (`::ffff:10.0.0.1`) in `allow`, `deny` and `geo`",
    here: "is the IPv4 address",
    because: "which of the two a client has depends on the socket that it came through",
  },
  {
    id: "engine-connections",
    subject: "connections to engines",
    here: "HTTP/1.1, reused with or without `keepalive`: 256 idle ones per engine and worker",
    because: "a new connection for each request costs time",
    unseen: "harness/normalise.ts takes it out",
  },
  {
    id: "upstream-keepalive-timeout",
    subject: "`keepalive_timeout` of an upstream",
    here: "4 s by default, not 60 s",
    because: "uvicorn closes after 5 s, and a request that meets a closing connection is retried",
    unseen: "it takes seconds",
  },
  {
    id: "worker-connections",
    subject: "`worker_connections`",
    here: "counts clients only; 65,536 by default, not 512",
    because: "streams are long, and each has one or two connections to engines",
    unseen: "it takes hundreds of connections",
  },
  {
    id: "access-log",
    subject: "access log",
    here: "none unless `access_log` names one",
    because: "it costs time, and there is no folder of logs by default",
    unseen: "the default is a file of the installed nginx",
  },
  {
    id: "error-log",
    subject: "error log",
    here: "one for the whole proxy; stderr unless `error_log` says otherwise",
    because: "what happens to engines concerns no server alone",
    unseen: "messages are the programs' own",
  },
  {
    id: "error-pages",
    subject: "pages of errors",
    here: "JSON as OpenAI's API has it, with a code ([outcomes.md](outcomes.md))",
    because: "clients read it",
    unseen: "harness/normalise.ts takes it out",
  },
  {
    id: "retry-after",
    subject: "errors 429 and 503 of the proxy's own",
    here: "have a `Retry-After`",
    because: "clients wait as long as it says, where they would ask again at once",
    unseen: "harness/normalise.ts takes it out",
  },
  {
    id: "redirect-bodies",
    subject: "bodies of redirects",
    here: "none",
    because: "clients follow `Location`, and do not show the page",
    unseen: "harness/normalise.ts takes it out",
  },
  {
    id: "server-header",
    subject: "`Server` in responses",
    here: "`global-proxy`, always without a version",
    because: "it is not nginx, and attackers look for versions",
    unseen: "harness/normalise.ts takes it out",
  },
  {
    id: "nominated-headers",
    subject: "header lines of engines that their `Connection` names",
    here: "are not passed on",
    because: "they are for this connection (RFC 9110, section 7.6.1)",
  },
  {
    id: "x-accel",
    subject: "`X-Accel-Redirect`, `X-Accel-Charset`, `X-Accel-Limit-Rate` of engines",
    here: "are hidden, and have no other effect",
    because: "engines for inference send none, and one that does should not choose routes",
  },
  {
    id: "syslog-sockets",
    subject: "`syslog:server=unix:…`",
    here: "an error: a syslog daemon is reached by UDP",
    because: "the runtimes have no datagrams on unix sockets",
  },
  {
    id: "returned-304",
    subject: "`return 304`",
    here: "has no `Content-Length`",
    because: "it would be that of what the client has already (RFC 9110, section 8.6)",
  },
  {
    id: "returned-408",
    subject: "`return 408` without a text",
    here: "responds; nginx closes the connection",
    because: "the client can see why",
  },
  {
    id: "header-names",
    subject: "names in `add_header`, `proxy_hide_header` and the like",
    here: "must be those that a header can have",
    because: "clients could not read such a line",
  },
  {
    id: "late-resolution",
    subject: "host names in `server`, `proxy_pass` and `listen`",
    here: "resolved when they are used, not at start",
    because: "an engine that is not up yet must not keep the proxy from starting",
  },
  {
    id: "variable-hosts",
    subject: "variables in the host of `proxy_pass`",
    here: "must give an upstream, or an address that another `proxy_pass` names",
    because: "engines are known at start",
  },
  {
    id: "regular-expressions",
    subject: "regular expressions",
    here: "those of JavaScript, see below",
    because: "the runtime has no others",
  },
  {
    id: "map-captures",
    subject: "captures of a `map`'s regular expression",
    here: "are gone behind its value",
    because:
      "`$1` of a location should not change because a map is read; nginx has mended it since",
  },
  {
    id: "lenient-syntax",
    subject: "`;;`, no `events` block, no `mime.types`, formats after the logs that use them",
    here: "accepted",
    because: "what is meant is clear",
  },
  {
    id: "long-times",
    subject: "times",
    here: "at most one day, with a notice",
    because: "timers of the runtimes end at 24 days",
    unseen: "it takes a day",
  },
  {
    id: "buffer-sizes",
    subject: "sizes of buffers",
    here: "need not fit a pool of memory",
    because: "the runtime manages memory",
  },
  {
    id: "commercial",
    subject: "`slow_start`, `queue` and others of NGINX Plus",
    here: "accepted",
    because: "the proxy has them",
  },
  {
    id: "user",
    subject: "`user`",
    here: "accepted without effect",
    because: "the proxy runs as the user that starts it",
  },
  {
    id: "no-servers",
    subject: "a file without a `server`",
    here: "an error",
    because: "a proxy that serves nothing is a mistake",
  },
  {
    id: "modules",
    subject: "`load_module`",
    here: "may stand anywhere in main",
    because: "what it names is built in, or not needed",
  },
  {
    id: "cannot-happen",
    subject:
      "a star inside a server name, a status below 200, a missing `@name`, an empty key of `hash`, a header set twice",
    here: "errors",
    because: "nginx finds them out at the first request, or never",
  },
  {
    id: "own-variables",
    subject: "`map` of variables that are built in, unless they are of a family such as `$http_…`",
    here: "an error",
    because: "a built-in variable stays what it is",
  },
  {
    id: "strict-requests",
    subject:
      "bare LFs, several spaces, HTTP/0.9 and HTTP/1.2, a header without a colon, `#` or a backslash in a path",
    here: "400 or 505",
    because:
      "two readers can take such a request for two different ones, which is how requests are smuggled",
  },
  {
    id: "path-encoding",
    subject: "a path whose bytes are no UTF-8",
    here: "400",
    because: "paths are text: routes, logs and maps show and compare them",
  },
  {
    id: "methods",
    subject: "TRACE, CONNECT, `OPTIONS *`",
    here: "501, 501, and what the route of `*` says",
    because: "so says the standard (RFC 9110)",
  },
  {
    id: "hop-by-hop",
    subject: "headers of one hop, also those that `Connection` names",
    here: "do not reach engines",
    because: "so says the standard (RFC 9110, section 7.6.1)",
  },
  {
    id: "continue",
    subject: "`Expect: 100-continue` with the body behind it",
    here: "no `100 Continue`",
    because: "the client does not wait for it",
  },
  {
    id: "hidden-keys",
    subject: "keys and passwords in logs",
    here: "hidden",
    because: "logs are read by others",
  },
  {
    id: "late-requests",
    subject: "a request whose body does not come in time",
    here: "408, where nginx closes the connection without a word",
    because: "the client learns why",
  },
  {
    id: "old-browsers",
    subject: "`keepalive_disable`",
    here: "all clients are treated alike",
    because: "the browsers that it is about are from 2001 and 2008",
  },
  {
    id: "connection-settings",
    subject: "`keepalive_timeout` and `keepalive_requests` in a location",
    here: "without effect, with a notice",
    because: "a connection has a server, but no location",
  },
  {
    id: "default-root",
    subject: "a location without `root`, `alias` and anything else that responds",
    here: "404; nginx looks into its folder `html`",
    because: "no folder is public that the configuration does not name",
    unseen: "nginx's folder depends on how it was built",
  },
  {
    id: "alias-traversal",
    subject: "`..` behind an `alias` whose location has no final slash",
    here: "404",
    because: "no path leads out of the folder",
  },
  {
    id: "several-ranges",
    subject: "several ranges in one request for a file",
    here: "the whole file",
    because: "a landing page needs no parts",
  },
  {
    id: "missing-error-page",
    subject: "an error page that is a file which is not there",
    here: "the error that there was, not 404",
    because: "the client should learn what has failed",
  },
  {
    id: "upgrades",
    subject: "`Connection: upgrade` for engines",
    here: "only with requests of HTTP/1.1 that ask for an upgrade; a 101 to any other is 502",
    because: "the client could not read what follows",
  },
  {
    id: "rejected",
    subject: "directives and variables that the proxy does not have",
    here: "errors, see [Rejected](#rejected)",
    because: "they would change what clients get or may do",
  },
] as const satisfies readonly Difference[];

export type DifferenceId = (typeof nginxDifferences)[number]["id"];
