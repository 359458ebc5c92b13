/** Where the models of a route go, and what engines list, is on the pages of operators. */
import { expect, test } from "vitest";
import { configSchema } from "../../../src/config/schema/schema.ts";
import type { AdminSource } from "../../../src/control/admin/admin-source.ts";
import { rolesOf } from "../../../src/control/admin/dashboard/fleet.ts";
import { poolReports } from "../../../src/control/admin/engines.ts";
import type { AdminCall } from "../../../src/control/admin/route.ts";
import { servedRoute } from "../../../src/control/admin/served.ts";
import { Pool } from "../../../src/pool/pool.ts";
import { SlotTable } from "../../../src/pool/slots.ts";
import { createScoreboardMemory, Scoreboard } from "../../../src/scoreboard/scoreboard.ts";

const pool = (policy: string) => ({
  engines: [{ url: "e:1" }],
  policy: { name: policy as "least_conn" },
});
const config = configSchema.parse({
  pools: { p: pool("least_conn"), d: pool("least_conn"), whole: pool("prefix_cache_affinity") },
  servers: [
    {
      listen: [{ port: 1 }],
      routes: [
        {
          match: { path: "/" },
          modelAliases: { "gpt-4o": "llama" },
          models: [
            {
              model: "llama",
              engineModel: "org/llama",
              prefill: { pool: "p" },
              target: { pool: "d" },
              dialect: "vllm-nixl",
            },
            { model: "qwen*", weight: 10, target: { pool: "whole" } },
          ],
        },
        { match: { path: "/auto" }, models: "auto", target: { pool: "whole" } },
      ],
    },
  ],
});

test("each entry of a route with models says where its requests go", async () => {
  const source = { resolved: config } as AdminSource;
  const { body } = await servedRoute.respond({ source } as AdminCall);
  const [{ routes }] = (JSON.parse(body as string) as { servers: [{ routes: object[] }] }).servers;
  expect(routes).toMatchObject([
    {
      models: [
        {
          model: "llama",
          engineModel: "org/llama",
          weight: 1,
          dialect: "vllm-nixl",
          pools: { prefill: ["p"], decode: ["d"] },
        },
        { model: "qwen*", weight: 10, pools: { decode: ["whole"] } },
      ],
      aliases: { "gpt-4o": "llama" },
    },
    { models: [{ model: "auto", pools: { decode: ["whole"] } }] },
  ]);
});

test("the dashboard knows the part of pools that only entries of models name", () => {
  expect(["p", "d", "whole"].map(rolesOf(config))).toEqual(["prefill", "decode", "serve"]);
});

test("an engine is shown with what it lists, adapters apart, as far as there is room", () => {
  const slots = new SlotTable(8, () => {}).assign(config);
  const board = new Scoreboard(createScoreboardMemory({ workers: 1, slots: 8 }), 0);
  const pools = Object.entries(config.pools).map(
    ([name, one]) => new Pool(name, one, { board, slots, random: () => 0 }),
  );
  const cards = [{ id: "llama" }, { id: "sql", parent: "llama" }, { id: "law", parent: "llama" }];
  const attributes = { models: JSON.stringify(cards) };
  pools[0]!.applyDiscovered({ "p e:1": { isReady: true, attributes } });
  const discovery = { drains: new Map(), sourcesOf: () => new Map() };
  const reports = poolReports(
    { pools, signals: new Map(), discovery } as unknown as AdminSource,
    { caches: [], queues: [] },
    0,
    2,
  );
  const engines = reports.map(({ engines: [engine] }) => engine);
  expect(engines[0]).toMatchObject({
    models: [{ name: "llama" }, { name: "sql", adapterOf: "llama" }],
    modelsUntold: 1,
  });
  expect(engines[1]).not.toHaveProperty("models");
  // A policy that does not go by caches is not blind: it does not look.
  expect(engines.map((engine) => engine?.cache)).toEqual(["unused", "unused", "approximate"]);
});
