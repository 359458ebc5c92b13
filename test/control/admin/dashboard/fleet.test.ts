/** What a pool is for: drawn and named by it, so that each route that uses the pool has to count. */
import { expect, test } from "vitest";
import { type Config, configSchema } from "../../../../src/config/schema/schema.ts";
import type { AdminSource } from "../../../../src/control/admin/admin-source.ts";
import { EngineWatch } from "../../../../src/control/admin/dashboard/engine-watch.ts";
import { fleetOf } from "../../../../src/control/admin/dashboard/fleet.ts";
import type { PoolReport } from "../../../../src/control/admin/engines.ts";
import { servedRoute } from "../../../../src/control/admin/served.ts";

function configured(...names: string[]) {
  const engines = [{ url: "http://127.0.0.1:9000" }];
  const pools = Object.fromEntries(names.map((name) => [name, { engines }]));
  return (...routes: object[]): Config =>
    configSchema.parse({ pools, servers: [{ listen: [{ port: 80 }], routes }] });
}

function drawn(config: Config) {
  const reports = Object.keys(config.pools).map(
    (pool): PoolReport => ({ pool, policy: "random", engines: [] }),
  );
  const source = { build: {}, workers: {}, config } as unknown as AdminSource;
  const { pools, links } = fleetOf(source, reports, new EngineWatch());
  return {
    roles: pools.map(({ pool, role }) => `${pool}: ${role}`),
    links: links.map(([from, to]) => `${pools[from]!.pool} ${pools[to]!.pool}`),
  };
}

test("the pools of each model of a route have their part, and are linked", () => {
  const match = { path: "/" };
  const models = [
    { model: "large", prefill: { pool: "p" }, target: { pool: "d" } },
    { model: "small", target: { pool: "s" } },
  ];
  const config = configured("p", "d", "s")({ match, models });
  expect(drawn(config)).toEqual({ roles: ["p: prefill", "d: decode", "s: serve"], links: ["p d"] });
  const { body } = servedRoute.respond({ source: { resolved: config } } as never) as {
    body: string;
  };
  const [{ routes }] = (JSON.parse(body) as { servers: [{ routes: [object] }] }).servers;
  expect(routes[0]).toMatchObject({ pools: { prefill: ["p"], decode: ["d", "s"] } });
});

test("encode engines of a route without a prefill are linked to those that serve it", () => {
  const route = { match: { path: "/" }, encode: { pool: "e" }, target: { pool: "s" } };
  expect(drawn(configured("e", "s")({ ...route, dialect: "plain" }))).toEqual({
    roles: ["e: encode", "s: serve"],
    links: ["e s"],
  });
});
