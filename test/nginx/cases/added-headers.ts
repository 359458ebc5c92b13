/** `add_header` and `add_trailer`. */
import {
  type EngineRequest,
  get,
  message,
  response,
  type Subject,
  type WireCase,
} from "../harness/case.ts";

const lines = [
  "Content-Type: text/plain",
  "X-Engine: e",
  "Last-Modified: Tue, 02 Jan 2024 00:00:00 GMT",
  'ETag: "x"',
  "Cache-Control: private",
];
/** The status is the path's. */
const said = ({ target }: EngineRequest) => {
  const status = Number(target.slice(1, 4));
  return status === 204 || status === 304
    ? message([`HTTP/1.1 ${status} Said`, "X-Engine: e"])
    : response(status, "ok", ...lines);
};
const inChunks = message(
  ["HTTP/1.1 200 OK", "Content-Type: text/plain", "Transfer-Encoding: chunked"],
  "3\r\nabc\r\n2\r\nde\r\n0\r\nX-T: t\r\n\r\n",
);
const pass = "proxy_pass http://%engine%;";
const two = 'add_header A "a $request_method"; add_header B "b $status" always;';

const statuses = [200, 201, 202, 203, 204, 206, 301, 304, 307, 308, 400, 404, 429, 500, 503];
const ofStatuses: WireCase[] = statuses.map((status) => ({
  name: `an engine's ${status} gets what its status allows`,
  conf: `${two} location / { ${pass} }`,
  request: get(`/${status}`),
  engine: said,
}));

const ofReplies: WireCase[] = [
  ["a text", "return 200 x;"],
  ["an empty text", 'return 200 "";'],
  ["a redirect", "return 301 http://b.example/x;"],
  ["a bare error", "return 404;"],
  ["an error with a text", "return 404 text;"],
  ["an answer without a body", "return 204;"],
].map(([name, conf]) => ({
  name: `${name} of the configuration's own`,
  conf: `${two} location / { ${conf} } absolute_redirect off;`,
}));

const ofLevels: WireCase[] = [
  {
    name: "a level with headers of its own inherits none",
    conf: `${two} location / { add_header C c; ${pass} }`,
  },
  { name: "a level without inherits", http: "", conf: `${two} location / { ${pass} }` },
  {
    name: "the server's own steps have the server's",
    conf: `${two} return 403; location / { add_header C c; }`,
  },
  { name: "a request that no location takes", conf: `${two} location /a { add_header C c; }` },
  { name: "a malformed request", conf: two, request: "GET /\x01 HTTP/1.1\r\n\r\n" },
  {
    name: "a page in place of an error has those of its location",
    conf: `${two} error_page 404 /page; location / { return 404; } location /page { add_header C c always; return 200 x; }`,
  },
  {
    name: "an engine that refuses connections",
    conf: `${two} location / { ${pass} }`,
    engine: "refuses",
  },
];

const ofValues: WireCase[] = [
  ["several of one name", 'add_header A 1; add_header A 2; add_header a "3";'],
  ["an empty value adds nothing", 'add_header A ""; add_header B "$http_none";'],
  ["the date of change is replaced", 'add_header Last-Modified "Mon, 01 Jan 2024 00:00:00 GMT";'],
  ["an empty date of change removes it", 'add_header Last-Modified "";'],
  ["the tag is replaced", "add_header ETag '\"y\"';"],
  ["an empty tag removes it", 'add_header ETag "";'],
  ["of two tags the last one counts", "add_header ETag a; add_header ETag b;"],
  [
    "other lines of the engine's stay",
    "add_header Cache-Control a; add_header Cache-Control b; add_header X-Engine f; add_header Link l; add_header Vary v;",
  ],
  [
    "what the engine has said",
    'add_header A "$upstream_status $upstream_http_x_engine $sent_http_x_engine $sent_http_content_type";',
  ],
  [
    "what is added before",
    'add_header A a; add_header B "$sent_http_a b"; add_header C "$sent_http_d"; add_header D d;',
  ],
  ["what is there several times", "add_header A a; add_header A b; add_header B $sent_http_a;"],
  ["what the client has said", 'add_header A "$arg_a $http_a $cookie_b $uri $request_uri";'],
].map(([name, conf]) => ({
  name: name!,
  conf: `location / { ${conf} ${pass} }`,
  request: get("/200?a=b", "A: c", "Cookie: b=d"),
  engine: said,
}));

const trail =
  'add_trailer T "t $request_method"; add_trailer E ""; add_trailer A "a $status" always;';
const ofTrailers: WireCase[] = [
  { name: "behind a body of known length", engine: said, request: get("/200") },
  { name: "behind a body in chunks", engine: inChunks, request: get("/200") },
  { name: "behind an engine's error", engine: said, request: get("/404") },
  { name: "not behind a response without a body", engine: said, request: get("/204") },
  {
    name: "not for a request for the head alone",
    request: message(["HEAD / HTTP/1.1", "Host: a", "Connection: close"]),
    engine: message(["HTTP/1.1 200 OK", "Content-Length: 2"]),
  },
  { name: "not for HTTP/1.0", request: "GET /200 HTTP/1.0\r\n\r\n", engine: said },
].map((one) => ({
  ...one,
  name: `trailers ${one.name}`,
  conf: `${trail} location / { ${pass} }`,
})) as WireCase[];

const ofFiles: WireCase[] = [
  ["an empty tag and date", 'add_header ETag ""; add_header Last-Modified "";'],
  ["a tag of its own", "add_header ETag y always;"],
  ["a lifetime from its change", "expires modified -1d; proxy_hide_header Expires;"],
  ["a lifetime beside it", "expires max; add_header Cache-Control public;"],
].map(([name, conf]) => ({
  name: `a file with ${name}`,
  files: { "a.txt": "hello\n" },
  conf: `root %dir%/%id%; location / { ${conf} }`,
  request: get("/a.txt"),
}));

export const addedHeaders: Subject = {
  subject: "added-headers",
  cases: [
    ...ofFiles,
    ...ofStatuses,
    ...ofReplies,
    ...ofLevels,
    ...ofValues,
    ...ofTrailers,
    {
      name: "trailers behind a text of the configuration's own",
      conf: `${trail} location / { return 200 hello; }`,
    },
    { name: "a word that is not always", conf: "add_header A b sometimes;" },
    {
      name: "a name that no header can have",
      conf: 'location / { add_header "A b" c; return 200 x; }',
      differs: "header-names",
    },
  ],
};
