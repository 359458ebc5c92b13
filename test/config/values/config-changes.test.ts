/** What a reload would change, as operators read it: a change that is not shown would come as a surprise. */
import { expect, test } from "vitest";
import { type Config, configSchema } from "../../../src/config/schema/schema.ts";
import { configChanges } from "../../../src/config/values/config-changes.ts";

function config(more: object = {}, engines: readonly (string | object)[] = ["http://a:1"]): Config {
  return configSchema.parse({
    pools: { p: { engines: engines.map((one) => (typeof one === "string" ? { url: one } : one)) } },
    servers: [{ listen: [{ port: 1 }], routes: [{ match: { kind: "prefix", path: "/" } }] }],
    ...more,
  });
}

test("the same configuration has no changes", () => {
  expect(configChanges(config(), config())).toEqual([]);
});

test("a changed, a new and a gone setting are told apart", () => {
  const before = config({ errorLog: { level: "info" }, pidFile: "/a" });
  const after = config({ errorLog: { level: "debug" }, drainTimeoutMs: 5, admin: { port: 1 } });
  const changes = configChanges(before, after);
  expect(changes).toContainEqual({ path: "errorLog.level", before: "info", after: "debug" });
  expect(changes).toContainEqual({ path: "pidFile", before: "/a" });
  expect(changes).toContainEqual({ path: "drainTimeoutMs", before: 0, after: 5 });
  expect(changes.find(({ path }) => path === "admin")).toMatchObject({ after: { port: 1 } });
  expect(changes).toHaveLength(4);
});

test("an engine is known by its address, wherever it stands in the list", () => {
  const before = config({}, ["http://a:1", "http://b:1"]);
  const after = config({}, [{ url: "http://b:1", weight: 2 }]);
  expect(
    configChanges(before, after).map(({ path, after: now }) => [path, now !== undefined]),
  ).toEqual([
    ['pools.p.engines["http://a:1"]', false],
    ['pools.p.engines["http://b:1"].weight', true],
  ]);
});

test("another order of the same engines is a change", () => {
  const changes = configChanges(
    config({}, ["http://a:1", "http://b:1"]),
    config({}, ["http://b:1", "http://a:1"]),
  );
  expect(changes.map(({ path }) => path)).toEqual(["pools.p.engines"]);
});

test("a secret that has changed is shown as a change, and stays hidden", () => {
  const tracing = (key: string) =>
    config({ tracing: { endpoint: "http://c:4318/v1/traces", headers: { "x-key": key } } });
  const changes = configChanges(tracing("one-secret"), tracing("other-secret"));
  expect(changes).toEqual([{ path: "tracing.headers.x-key", before: "***", after: "***" }]);
});
