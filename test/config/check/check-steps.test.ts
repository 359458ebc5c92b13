/** Conditions, nested routes and files that mean nothing are errors that name what was probably meant. */
import { expect, it } from "vitest";
import { checkConfig } from "../../../src/config/check/check.ts";
import { configSchema } from "../../../src/config/schema/schema.ts";

const runtime = { name: "Node", version: "22.12.0", cores: 2, sharedPorts: true } as const;

/** Errors of a server with these routes. */
function errorsOf(routes: readonly object[], steps: readonly object[] = []): string[] {
  const config = configSchema.parse({
    pools: { engines: { engines: [{ url: "http://127.0.0.1:8000" }] } },
    servers: [{ listen: [{ port: 8080 }], steps, routes }],
  });
  return checkConfig(config, runtime)
    .filter(({ level }) => level === "emerg")
    .map(({ message, hint }) => (hint === undefined ? message : `${message} (${hint})`));
}

const target = { pool: "engines" };
const condition = (more: object) => ({ if: { value: "$arg_a", ...more } });

it("a condition that chooses a route names one", () => {
  const named = { match: { kind: "exact", path: "@debug" }, target };
  const steps = [condition({ route: "@debgu" })];
  expect(errorsOf([named, { match: { path: "/" }, steps, target }])).toEqual([
    'no route has the name "@debgu" (did you mean "@debug"?)',
  ]);
  const right = [condition({ route: "@debug" })];
  expect(errorsOf([named, { match: { path: "/" }, steps: right, target }])).toEqual([]);
});

it("a server's condition chooses no route: there is none yet", () => {
  const named = { match: { kind: "exact", path: "@debug" }, target };
  expect(errorsOf([named], [condition({ route: "@debug" })])).toEqual([
    "a condition of a server cannot choose a route (move it into the routes)",
  ]);
});

it("a condition has one test", () => {
  const steps = [condition({ equals: "a", matches: "b" })];
  expect(errorsOf([{ match: { path: "/" }, steps, target }])[0]).toMatch(
    "a condition has only one of equals, matches and file",
  );
});

it("steps and texts of a condition are checked", () => {
  const steps = [
    condition({ matches: "(", steps: [{ set: { name: "host", value: "$nowhere" } }] }),
  ];
  const errors = errorsOf([{ match: { path: "/" }, steps, target }]);
  expect(errors).toHaveLength(3);
  expect(errors.join()).toMatch(/invalid regular expression.*"\$host" is.*unknown variable/s);
});

it("a route is within one that stands before it", () => {
  const inner = { match: { path: "/a/b", within: "/a" }, target };
  const outer = { match: { path: "/a" }, target };
  expect(errorsOf([outer, inner])).toEqual([]);
  expect(errorsOf([inner, outer])[0]).toMatch('has the path "/a"');
});

it("files that are tried have an end", () => {
  const files = { root: "/srv", tries: ["$uri"] };
  expect(errorsOf([{ match: { path: "/" }, files }])[0]).toMatch("need each other");
  const bad = { ...files, otherwise: "=99" };
  expect(errorsOf([{ match: { path: "/" }, files: bad }])[0]).toMatch('invalid status "=99"');
  const good = { ...files, otherwise: "=404" };
  expect(errorsOf([{ match: { path: "/" }, files: good }])).toEqual([]);
});
