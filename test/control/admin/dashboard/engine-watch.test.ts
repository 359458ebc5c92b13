/** "Since when" and "how often" must be true: of this failure and not of last week's, and of this engine. */
import { expect, it } from "vitest";
import { configSchema } from "../../../../src/config/schema/schema.ts";
import { EngineWatch } from "../../../../src/control/admin/dashboard/engine-watch.ts";
import { burstQuietMs } from "../../../../src/control/limits.ts";
import { Pool } from "../../../../src/pool/pool.ts";
import { SlotTable } from "../../../../src/pool/slots.ts";
import { createScoreboardMemory, Scoreboard } from "../../../../src/scoreboard/scoreboard.ts";

function poolsOf(engines: readonly string[]) {
  const config = configSchema.parse({
    pools: { p: { engines: engines.map((url) => ({ url })) } },
    servers: [{ listen: [{ port: 80 }], routes: [] }],
  });
  const board = new Scoreboard(createScoreboardMemory({ workers: 1, slots: 4 }), 0);
  const slots = new SlotTable(4, () => {}).assign(config);
  const pool = new Pool("p", config.pools["p"]!, { board, slots, random: () => 0.5 });
  return { board, pool, pools: [pool] };
}

it("failures are counted since the last quiet time, by their kind", () => {
  const { board, pool, pools } = poolsOf(["a:1", "b:1"]);
  const watch = new EngineWatch();
  const slot = pool.engines[0]!.slot;
  const fail = () => board.legs.failed(slot, "decode", "error");
  fail();
  watch.look(pools, 1_000);
  expect(watch.of("p", "a:1")!.burst).toBeUndefined();
  fail();
  watch.look(pools, 2_000);
  board.legs.failed(slot, "prefill", "timeout");
  board.legs.ended(slot, "decode", 503);
  watch.look(pools, 3_000);
  const burst = { sinceMs: 2_000, lastMs: 3_000, errors: 1, timeouts: 1, invalid: 0, statuses: 1 };
  expect(watch.of("p", "a:1")!.burst).toEqual(burst);
  expect(watch.of("p", "b:1")!.burst).toBeUndefined();
  const laterMs = 3_001 + burstQuietMs;
  fail();
  watch.look(pools, laterMs);
  expect(watch.of("p", "a:1")!.burst).toMatchObject({ sinceMs: laterMs, errors: 1, timeouts: 0 });
});

it("a state has its beginning, and its change is told once; so are engines that come and go", () => {
  const { board, pool, pools } = poolsOf(["a:1"]);
  const watch = new EngineWatch();
  expect(watch.look(pools, 1_000)).toEqual([]);
  board.health.setUnhealthy(pool.engines[0]!.slot, true);
  const [change, ...others] = watch.look(pools, 2_000);
  expect([change!.from!.state, change!.to!.why, others.length]).toEqual([
    "healthy",
    "health-check",
    0,
  ]);
  expect(watch.look(pools, 3_000)).toEqual([]);
  expect(watch.of("p", "a:1")!.sinceMs).toBe(2_000);
  const next = poolsOf(["b:1"]);
  const changes = watch.look(next.pools, 4_000);
  const told = changes.map(({ engine, from, to }) => [engine, from?.state, to?.state]);
  expect(told).toEqual([
    ["b:1", undefined, "healthy"],
    ["a:1", "degraded", undefined],
  ]);
  expect(watch.of("p", "a:1")).toBeUndefined();
});
