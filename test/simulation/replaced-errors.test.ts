/** Pages in place of errors: of the proxy's own, of engines where the configuration says so, and of pages. */
import { expect, it } from "vitest";
import { World, type WorldOptions } from "./world.ts";

type Route = NonNullable<WorldOptions["routes"]>[number];

const page = (path: string, text: string, more: Partial<Route> = {}): Route => ({
  match: { kind: "exact", path },
  internal: true,
  steps: [{ return: { status: 200, text } }],
  ...more,
});

const errorPages = [{ statuses: [301, 401, 404, 500], uri: "/page" }];

function ask(status: number, route: Partial<Route>, pages: Route[], lines = "") {
  const world = new World({
    prefill: 0,
    decode: 1,
    routes: [
      { match: { path: "/" }, target: { pool: "decode" }, byEndpoint: false, errorPages, ...route },
      ...pages,
    ],
  });
  for (const engine of world.engines) {
    engine.checksTransfer = false;
    engine.script = (_, connection) =>
      connection.send(`HTTP/1.1 ${status} X\r\n${lines}Content-Length: 6\r\n\r\nengine`);
  }
  const client = world.client();
  client.send("GET /v1/x HTTP/1.1\r\nHost: a.example\r\n\r\n", "GET");
  const response = world.responseTo(client);
  world.expectNothingLeft();
  return response;
}

const textOf = ({ status, body }: ReturnType<typeof ask>) => `${status} ${body}`;

it.each([
  [200, true, "200 engine"],
  [404, true, "404 page 404"],
  [404, false, "404 engine"],
  [301, true, "301 page 301"],
  [429, true, "429 engine"],
])("an engine's %i, replaced: %s → %s", (status, replaceEngineErrors, expected) => {
  const got = ask(status, { replaceEngineErrors }, [page("/page", "page $status")]);
  expect(textOf(got)).toBe(expected);
});

it("the challenge of an engine reaches the client, which could not respond to it otherwise", () => {
  const lines = 'WWW-Authenticate: Basic realm="e"\r\n';
  const got = ask(401, { replaceEngineErrors: true }, [page("/page", "page")], lines);
  expect(got.fields.get("www-authenticate")).toEqual(['Basic realm="e"']);
});

it("headers are those of the route that has the page", () => {
  const header = (value: string) => [{ name: "A", value }];
  const pages = [page("/page", "page", { responseHeaders: header("page") })];
  const got = ask(404, { replaceEngineErrors: true, responseHeaders: header("route") }, pages);
  expect(got.fields.get("a")).toEqual(["page"]);
});

const failing = {
  steps: [{ return: { status: 500 } }],
  errorPages: [{ statuses: [500], uri: "/last" }],
};

it.each([
  [false, 500, /GP_RETURNED/],
  [true, 500, /^last 500$/],
])(
  "an error within a page has one, too, if the first route says so: %s",
  (recursive, status, body) => {
    const pages = [page("/page", "", failing), page("/last", "last $status")];
    const got = ask(404, { replaceEngineErrors: true, recursiveErrorPages: recursive }, pages);
    expect(got.status).toBe(status);
    expect(String(got.body)).toMatch(body);
  },
);

it("pages that lead in a circle end", () => {
  const circle = { ...failing, errorPages: [{ statuses: [500], uri: "/page" }] };
  const route = { replaceEngineErrors: true, recursiveErrorPages: true };
  const got = ask(404, route, [page("/page", "", { ...circle, recursiveErrorPages: true })]);
  expect(got.status).toBe(500);
});

it("a 503 that the configuration returns says nothing of when to come back", () => {
  const got = ask(200, { steps: [{ return: { status: 503 } }] }, []);
  expect([got.status, got.fields.get("retry-after")]).toEqual([503, undefined]);
});
