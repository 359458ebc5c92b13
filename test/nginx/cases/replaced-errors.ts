/** `error_page`, `proxy_intercept_errors`, `recursive_error_pages`. */
import {
  type EngineRequest,
  get,
  message,
  response,
  type Subject,
  type WireCase,
} from "../harness/case.ts";

/** The status is the path's. */
const said = ({ target }: EngineRequest) => {
  const status = Number(target.slice(1, 4));
  const more = status === 401 ? 'WWW-Authenticate: Basic realm="e"' : "X-Engine: e";
  return status === 304
    ? message([`HTTP/1.1 ${status} Said`, more])
    : response(status, "engine", "Content-Type: text/x", more);
};

const pages = `error_page 404 /p404; error_page 500 =200 /p500; error_page 502 = /p502; error_page 503 @named;
  error_page 301 302 /p30x; error_page 401 /p401; error_page 418 = @engine; error_page 504 http://b.example/;
  location = /p404 { internal; return 200 "p404 $status $uri $request_uri"; }
  location = /p500 { return 200 "p500 $status"; }
  location = /p502 { add_header P p always; return 410 "p502 $status"; }
  location @named { return 200 "named $status $uri"; }
  location @engine { proxy_pass http://%engine%; }
  location = /p30x { return 200 "p30x $status"; }
  location = /p401 { return 200 "p401 $status"; }`;

const statuses = [200, 301, 302, 304, 400, 401, 404, 429, 500, 502, 503, 504];
const ofEngines: WireCase[] = statuses.flatMap((status) =>
  ["on", "off"].map((intercepts) => ({
    name: `an engine's ${status}, interception ${intercepts}`,
    conf: `${pages} location / { proxy_intercept_errors ${intercepts}; proxy_pass http://%engine%; }`,
    request: get(`/${status}`),
    engine: said,
  })),
);

const ofReplies: WireCase[] = [
  ["a bare error", "return 404;"],
  ["an error whose page has a status of its own", "return 502;"],
  ["an error whose status is replaced", "return 500;"],
  ["an error that a named location takes", "return 503;"],
  ["an error with a text has no page", "return 503 text;"],
  ["a redirect", "return 301 http://a.example/b;"],
  ["a page from an engine", "return 418;"],
  ["a page that is a redirect", "return 504;"],
  ["a redirect with a status", "error_page 404 =307 http://x.example$uri; return 404;"],
  ["a page without a body", "error_page 404 =204 /p500; return 404;"],
  ["a page by variables", "error_page 404 /p404?s=$status; return 404;"],
  ["a page that is an error itself", "error_page 404 /bare; return 404;"],
  ["a page that closes the connection", "error_page 404 /closes; return 404;"],
  ["a page of a page", "recursive_error_pages on; error_page 404 /again; return 404;"],
  ["pages in a circle", "recursive_error_pages on; error_page 507 /circle; return 507;"],
  ["a level of its own inherits none", "error_page 500 /p500; return 404;"],
].map(([name, conf]) => ({
  name: name!,
  conf: `${pages} location / { ${conf} }
    location /bare { return 403; }
    location /closes { return 444; }
    location /again { error_page 507 /p500; return 507; }
    location /circle { recursive_error_pages on; error_page 507 /circle; return 507; }`,
  engine: said,
  request: get("/200"),
}));

export const replacedErrors: Subject = {
  subject: "replaced-errors",
  cases: [
    ...ofEngines,
    ...ofReplies,
    {
      name: "a body that the page does not get",
      conf: `${pages} location / { proxy_intercept_errors on; proxy_pass http://%engine%; }`,
      request: message(
        ["POST /404 HTTP/1.1", "Host: a", "Connection: close", "Content-Length: 3"],
        "abc",
      ),
      engine: said,
    },
    { name: "a flag that is none", conf: "proxy_intercept_errors maybe;" },
  ],
};
