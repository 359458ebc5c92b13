/** How much of a location one client may use: requests in a time, and requests under way. */
import { type EngineRequest, get, response, type Subject, type WireCase } from "../harness/case.ts";

const pass = "proxy_pass http://%engine%;";
const slow = "limit_req_zone $arg_a zone=%id%:1m rate=1r/m;";
const log = "$status $limit_req_status $limit_conn_status $arg_a";
const thrice = [get("/?a=1"), get("/?a=1"), get("/?a=1")];

const ofRates: WireCase[] = (
  [
    ["a second request is too fast", "limit_req zone=%id%;", [get("/?a=1"), get("/?a=1")]],
    ["keys are counted apart", "limit_req zone=%id%;", [get("/?a=1"), get("/?a=2"), get("/?a=1")]],
    ["without a key nothing is limited", "limit_req zone=%id%;", [get("/"), get("/")]],
    ["a burst goes ahead of the rate", "limit_req zone=%id% burst=1 nodelay;", thrice],
    ["of a burst a part does", "limit_req zone=%id% burst=1 delay=1;", thrice],
    ["another status", "limit_req zone=%id%; limit_req_status 429;", thrice],
    ["a dry run", "limit_req zone=%id%; limit_req_dry_run on;", thrice],
    ["a dry run does not wait", "limit_req zone=%id% burst=5; limit_req_dry_run on;", thrice],
    ["the denied are counted", "limit_req zone=%id%; deny all;", thrice],
    ["a page in place of the error", "limit_req zone=%id%; error_page 503 =429 /page;", thrice],
  ] as const
).map(([name, conf, clients]) => ({
  name,
  http: slow,
  conf: `location / { ${conf} ${pass} } location /page { return 200 slower; }`,
  clients,
  log,
}));

const waits: WireCase[] = [
  {
    name: "a request waits until the rate allows it",
    http: "limit_req_zone $arg_a zone=%id%:1m rate=2r/s;",
    together: true,
    conf: `limit_req zone=%id% burst=5; location / { ${pass} }`,
    clients: thrice,
    log: "$status $limit_req_status",
  },
  {
    name: "the configuration's own replies are not limited",
    http: slow,
    conf: "location / { limit_req zone=%id%; return 200 x; }",
    clients: thrice,
    log,
  },
  {
    name: "a location with a limit inherits none",
    http: `${slow} limit_req_zone $arg_b zone=%id%b:1m rate=1r/m;`,
    conf: `limit_req zone=%id%; location / { limit_req zone=%id%b; ${pass} }`,
    clients: thrice,
    log,
  },
  {
    name: "of several limits the strictest counts",
    http: `${slow} limit_req_zone $arg_b zone=%id%b:1m rate=1r/m;`,
    conf: `location / { limit_req zone=%id% burst=9 nodelay; limit_req zone=%id%b burst=1 nodelay; ${pass} }`,
    clients: [get("/?a=1&b=1"), get("/?a=1&b=1"), get("/?a=1&b=1"), get("/?a=1&b=2")],
    log,
  },
  {
    name: "a path that no location takes",
    http: slow,
    conf: "limit_req zone=%id%; location /a { }",
    clients: [get("/?a=1"), get("/?a=1")],
    log,
  },
];

const counts = "limit_conn_zone $arg_a zone=%id%:1m;";
const ofConnections: WireCase[] = (
  [
    ["one at a time", "limit_conn %id% 1;"],
    ["two at a time", "limit_conn %id% 2;"],
    ["another status", "limit_conn %id% 1; limit_conn_status 429;"],
    ["a dry run", "limit_conn %id% 1; limit_conn_dry_run on;"],
  ] as const
).map(([name, conf]) => ({
  name: `connections: ${name}`,
  http: counts,
  conf: `location / { ${conf} ${pass} }`,
  clients: [
    [get("/?a=1&n=1")],
    [
      { happened: "first came" },
      get("/?a=1&n=2"),
      { until: "\r\n\r\n" },
      { happens: "second done" },
    ],
  ],
  together: true,
  engine: ({ target }: EngineRequest) =>
    target.includes("n=1")
      ? [{ happens: "first came" }, { happened: "second done" }, response(200, "first")]
      : response(200, "second"),
}));

const after: WireCase[] = [
  {
    name: "connections: one that has ended does not count",
    http: counts,
    conf: `location / { limit_conn %id% 1; ${pass} }`,
    clients: thrice,
    log,
  },
  {
    name: "connections: none without a key",
    http: counts,
    conf: `location / { limit_conn %id% 1; ${pass} }`,
    log,
  },
];

const malformed: WireCase[] = [
  "limit_req_zone $arg_a zone=%id%:1k rate=1r/s;",
  "limit_req_zone $arg_a zone=%id% rate=1r/s;",
  "limit_req_zone $arg_a zone=:1m rate=1r/s;",
  "limit_req_zone $arg_a rate=1r/s;",
  "limit_req_zone $arg_a zone=%id%:1m rate=0r/s;",
  "limit_req_zone $arg_a zone=%id%:1m rate=1x;",
  "limit_req_zone $arg_a zone=%id%:1m x=1;",
  "limit_conn_zone $arg_a;",
  "limit_conn_zone $arg_a zone=%id%:1k;",
].map((http) => ({ name: http, http }));
const misused: WireCase[] = [
  "limit_req zone=%id% burst=0;",
  "limit_req zone=%id% burst=x;",
  "limit_req zone=%id% delay=0;",
  "limit_req burst=1;",
  "limit_req zone=%id% foo;",
  "limit_req_status 399;",
  "limit_req_status x;",
  "limit_req_log_level debug;",
  "limit_req_dry_run x;",
  "limit_conn %id%c 0;",
  "limit_conn %id%c 65536;",
  "limit_conn %id%c 1; limit_conn %id%c 2;",
  "limit_req zone=%id%; limit_req zone=%id%;",
  "limit_req zone=%id%c;",
].map((conf) => ({
  name: conf,
  http: `${slow} limit_conn_zone $arg_a zone=%id%c:1m;`,
  conf,
}));

export const limits: Subject = {
  subject: "limits",
  cases: [...ofRates, ...waits, ...ofConnections, ...after, ...malformed, ...misused],
};
