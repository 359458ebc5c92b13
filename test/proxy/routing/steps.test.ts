/** Steps do what the configuration says and not what a client's path says. */
import { expect, it } from "vitest";
import { configSchema } from "../../../src/config/schema/schema.ts";
import { VariableScope } from "../../../src/proxy/routing/template.ts";
import { compile, see, seeReturned } from "./compiled.ts";
import { contextOf, request } from "./contexts.ts";

function seen(steps: readonly object[], target: string, lines: readonly string[] = []) {
  const config = configSchema.parse({
    pools: { engines: { engines: [{ url: "a:1" }] } },
    servers: [
      {
        listen: [{ port: 1 }],
        routes: [{ match: { path: "/" }, steps, target: { pool: "engines" } }],
      },
    ],
  });
  return see(compile(config), request(target, ...lines));
}

const rewrite = (pattern: string, replacement: string, flag = "break") => ({
  rewrite: { pattern, replacement, flag },
});

it("a path that looks like a URL is no redirect to it", () => {
  expect(seen([rewrite("^/x/(.*)$", "$arg_to$1")], "/x/a?to=http://evil/")).toEqual({
    status: 200,
    body: "engines gets /http://evil/a?to=http://evil/",
  });
});

it("a question mark of a path does not begin a query", () => {
  expect(seen([rewrite("^/x/(.*)$", "/y/$1")], "/x/a%3Fb?c")).toMatchObject({
    body: "engines gets /y/a%3Fb?c",
  });
});

it("set $args sets the query that engines get, wherever templates read it", () => {
  const set = { set: { name: "args", value: "x=$arg_a" } };
  const shown = { return: { status: 200, text: "$args $query_string $arg_x $is_args" } };
  expect(seen([set], "/p%20q?a=1&b=2")).toMatchObject({ body: "engines gets /p%20q?x=1" });
  expect(seen([set, shown], "/?a=1")).toMatchObject({ body: "x=1 x=1 1 ?" });
});

it("a variable that is read before it is set is empty, and holds for one request alone", () => {
  const scope = new VariableScope();
  const render = scope.compile("[$late]");
  const [one, two] = [contextOf(request("/")), contextOf(request("/"))];
  expect(render(one)).toBe("[]");
  one.variables[scope.indexOf("late")] = "now";
  expect([render(one), render(two)]).toEqual(["[now]", "[]"]);
});

it("a group that took no part is empty, also after another request", () => {
  const steps = [
    rewrite("^/(?<name>a)?(b)?$", "/ignored", "none"),
    { return: { status: 200, text: "[$name][$1][$2][$3]" } },
  ];
  expect(seen(steps, "/ab").body).toBe("[a][a][b][]");
  expect(seen(steps, "/").body).toBe("[][][][]");
});

it.each(["/a\u010d\u010aSet-Cookie: x", "http://b/\r\nSet-Cookie: x", "/a\u2028b c"])(
  "a redirect to %j has one line",
  (text) => {
    const context = contextOf(request("/"));
    const { location } = seeReturned({ status: 302, location: text }, context);
    expect(location).toMatch(/^(?:http:\/)?\/[!-~]+$/);
  },
);

it("a redirect for a client without a host is relative", () => {
  const context = contextOf("GET /x HTTP/1.0\r\n\r\n");
  expect(seeReturned({ status: 302, location: "/y" }, context).location).toBe("/y");
});
