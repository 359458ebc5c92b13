/** Who may use a location: addresses of clients, in nginx's order and with its inheritance. */
import { get, post, response, type Subject, type WireCase } from "../harness/case.ts";

const pass = "proxy_pass http://%engine%;";
const ofRules: WireCase[] = (
  [
    ["all are denied", "deny all;"],
    ["all are allowed", "allow all;"],
    ["an address of another client", "deny 127.0.0.2;"],
    ["the client's address", "deny 127.0.0.1;"],
    ["a network", "deny 127.0.0.0/8;"],
    ["the first rule that matches decides", "allow 127.0.0.1; deny all;"],
    ["also if it comes late", "deny 10.0.0.0/8; allow 127.0.0.0/30; deny 127.0.0.1;"],
    ["rules for IPv6 alone let IPv4 pass", "deny ::/0;"],
    ["rules for unix sockets let TCP pass", "deny unix:;"],
    ["a network of all addresses", "deny 0.0.0.0/0;"],
    ["one that satisfies is enough", "satisfy any; allow 127.0.0.1; deny all;"],
    ["none that satisfies", "satisfy any; allow 127.0.0.2; deny all;"],
    ["any without a rule that matches", "satisfy any; deny 127.0.0.2;"],
  ] as const
).map(([name, conf]) => ({ name, conf: `location / { ${conf} ${pass} }` }));

const ofLevels: WireCase[] = [
  { name: "a location inherits the server's", conf: `deny all; location / { ${pass} }` },
  {
    name: "a location with rules inherits none",
    conf: `deny all; location / { deny 127.0.0.2; ${pass} }`,
  },
  {
    name: "a location inside inherits",
    conf: `location / { deny all; location /a { ${pass} } }`,
    request: get("/a"),
  },
  {
    name: "a condition inherits",
    conf: `location / { deny all; if ($arg_a) { ${pass} } ${pass} }`,
    request: get("/?a=1"),
  },
  { name: "a server without a location", conf: "deny all;" },
  { name: "a path that no location takes", conf: "deny all; location /a { allow all; }" },
  { name: "a location that leads nowhere", conf: "location / { deny all; }" },
];

const ofOrder: WireCase[] = [
  {
    name: "what the configuration returns is for all",
    conf: "location / { deny all; return 200 x; }",
  },
  { name: "an internal location is not there", conf: `location / { internal; deny all; ${pass} }` },
  {
    name: "a body that is too large",
    conf: `client_max_body_size 1; location / { deny all; ${pass} }`,
    request: post("/", "hello"),
  },
  { name: "with a body", conf: `location / { deny all; ${pass} }`, request: post("/", "hello") },
  {
    name: "after a rewrite",
    conf: `location /a { rewrite ^ /b; } location /b { deny all; ${pass} }`,
    request: get("/a"),
  },
  {
    name: "before a rewrite",
    conf: `location /a { deny all; rewrite ^ /b; } location /b { ${pass} }`,
    request: get("/a"),
  },
  {
    name: "a header that is always added",
    conf: `location / { deny all; add_header A b always; add_header C d; ${pass} }`,
  },
];

const page = "error_page 403 /page;";
const ofPages: WireCase[] = [
  {
    name: "a page of the configuration's own",
    conf: `${page} location / { deny all; } location /page { return 200 sorry; }`,
  },
  {
    name: "a page of an engine's",
    conf: `${page} deny all; location / { } location /page { allow all; ${pass} }`,
  },
  {
    name: "a page that is denied as well",
    conf: `${page} deny all; location / { } location /page { ${pass} }`,
  },
  {
    name: "a page by name that is denied as well",
    conf: `error_page 403 @page; deny all; location / { } location @page { ${pass} }`,
  },
  {
    name: "another status",
    conf: `error_page 403 =404 /page; deny all; location / { } location /page { allow all; ${pass} }`,
  },
  {
    name: "a page for an engine's error that is denied",
    conf: `error_page 502 /page; proxy_intercept_errors on; location / { ${pass} } location /page { deny all; ${pass} }`,
    engine: () => response(502, "x"),
  },
];

export const access: Subject = {
  subject: "access",
  cases: [
    ...ofRules,
    ...ofLevels,
    ...ofOrder,
    ...ofPages,
    {
      name: "the log has the status",
      conf: `location / { deny all; ${pass} }`,
      log: "$status $uri",
    },
    {
      name: "an address of IPv4 within IPv6",
      conf: `location / { deny ::ffff:127.0.0.1; ${pass} }`,
      differs: "mapped-addresses",
    },
    { name: "no address", conf: "deny localhost;" },
    { name: "a prefix that is too long", conf: "deny 10.0.0.0/33;" },
    { name: "two addresses", conf: "deny 10.0.0.1 10.0.0.2;" },
    { name: "satisfy with another word", conf: "satisfy some;" },
  ],
};
