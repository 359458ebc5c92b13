/** Explanations and the admin page name the state of an engine by one rule, and who could be chosen is who can be. */
import { expect, test } from "vitest";
import { type ConfigInput, configSchema } from "../../src/config/schema/schema.ts";
import { engineStateOf } from "../../src/pool/health/engine-state.ts";
import { Pool } from "../../src/pool/pool.ts";
import { SlotTable } from "../../src/pool/slots.ts";
import { createScoreboardMemory, Scoreboard } from "../../src/scoreboard/scoreboard.ts";

type EngineInput = NonNullable<NonNullable<ConfigInput["pools"]>[string]["engines"]>[number];

const nowMs = 1_000_000;
const request = {
  bytes: 10,
  tokens: 1,
  blocks: [],
  clientAddress: "10.0.0.1",
  key: "",
  clock: { wallMs: () => nowMs },
};

function poolOf(...engines: readonly Partial<EngineInput>[]): Pool {
  const config = configSchema.parse({
    pools: {
      p: {
        policy: { name: "least_conn" },
        engines: engines.map((engine, i) => ({ url: `e${i}:1`, ...engine })),
      },
    },
    servers: [{ listen: [{ port: 1 }], routes: [] }],
  });
  const board = new Scoreboard(createScoreboardMemory({ workers: 1, slots: 8 }), 0);
  const slots = new SlotTable(8, () => {}).assign(config);
  return new Pool("p", config.pools["p"]!, { board, slots, random: () => 0.5 });
}

test("an engine in slow start is degraded in explanations, too, and can be chosen", () => {
  const pool = poolOf({}, { slowStartMs: 10_000, weight: 10 }, { down: true });
  pool.place(request, [], nowMs);
  const snapshots = pool.explain(request, [], nowMs + 1_000).closest(1);
  for (const { engine, state, why } of snapshots) {
    const report = engineStateOf(
      pool,
      pool.engines.find((one) => one.name === engine)!,
      nowMs + 1_000,
    );
    expect({ state, ...(why && { why }) }).toEqual(report);
  }
  expect(snapshots[0]).toMatchObject({ state: "degraded", why: "slow-start" });
  expect(snapshots.map(({ isCandidate = true }) => isCandidate)).toEqual([true, true, false]);
});

test("what a request has against an engine is its reason, whatever the engine's state", () => {
  const pool = poolOf({}, {}, {}, { backup: true });
  const holders = [1, 0, 1, 1];
  const [, ...others] = pool
    .explain({ ...request, holders }, [pool.engines[2]!.slot], nowMs)
    .closest(0)
    .toSorted((a, b) => a.engine.localeCompare(b.engine));
  expect(others.map(({ state, why, isCandidate }) => [state, why, isCandidate])).toEqual([
    ["healthy", "model", false],
    ["healthy", "tried", false],
    ["healthy", "backup", false],
  ]);
});
