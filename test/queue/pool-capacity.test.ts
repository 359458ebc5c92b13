/**
 * Room in a pool: requests at engines that take no more of them must not keep others from those that do, for as long as
 * they are there.
 */
import { expect, it } from "vitest";
import { configSchema } from "../../src/config/schema/schema.ts";
import { type Placement, Pool } from "../../src/pool/pool.ts";
import { SlotTable } from "../../src/pool/slots.ts";
import { PoolCapacity } from "../../src/queue/pool-capacity.ts";
import { createScoreboardMemory, Scoreboard } from "../../src/scoreboard/scoreboard.ts";
import { systemClock } from "../../src/transport/clock.ts";

const board = new Scoreboard(createScoreboardMemory({ workers: 1, slots: 64 }), 0);
const table = new SlotTable(64, (slot) => board.clearSlot(slot));

/** Of engines that take two requests each. */
function poolOf(name: string, engines: readonly string[], more: object = {}): Pool {
  const config = configSchema.parse({
    pools: {
      [name]: {
        policy: { name: "least_conn" },
        queue: {},
        engines: engines.map((host) => ({ url: `${host}:1`, maxConns: 2, ...more })),
      },
    },
    servers: [{ listen: [{ port: 80 }], routes: [] }],
  });
  return new Pool(name, config.pools[name]!, {
    board,
    slots: table.assign(config),
    random: () => 0.5,
  });
}

/** As many as there is room for, each at an engine. */
function fill(room: PoolCapacity, pool: Pool, nowMs = 0): Placement[] {
  const placed: Placement[] = [];
  while (room.reserve([pool.name], nowMs)) {
    const request = {
      ...{ bytes: 100, tokens: 25, blocks: [], clientAddress: "", key: "" },
      clock: systemClock,
    };
    placed.push(pool.place(request, [], nowMs) as Placement);
  }
  return placed;
}

function leave(room: PoolCapacity, { pool, lease }: Placement): void {
  lease.close();
  room.release(pool.name);
}

it("requests that stay at an engine which a reload has taken away take no places of the others", () => {
  const before = poolOf("gone", ["a", "b"]);
  const room = new PoolCapacity(new Map([["gone", before]]));
  const placed = fill(room, before);
  expect(placed).toHaveLength(4);
  const after = poolOf("gone", ["b", "c"]);
  const next = new PoolCapacity(new Map([["gone", after]]), room);
  const more = fill(next, after);
  expect(more.map(({ engine }) => engine.name)).toEqual(["c:1", "c:1"]);
  // Also after one more reload.
  const last = new PoolCapacity(new Map([["gone", after]]), next);
  expect(fill(last, after)).toEqual([]);
  for (const one of placed.filter(({ engine }) => engine.name === "a:1")) leave(last, one);
  expect(fill(last, after)).toEqual([]);
  for (const one of placed.filter(({ engine }) => engine.name === "b:1")) leave(last, one);
  expect(fill(last, after)).toHaveLength(2);
});

it("requests that hang at an engine which has failed take no places of the others", () => {
  const pool = poolOf("hangs", ["a", "b"], { failTimeoutMs: 1_000 });
  const room = new PoolCapacity(new Map([["hangs", pool]]));
  const placed = fill(room, pool);
  const [hung] = placed.filter(({ engine }) => engine.name === "a:1");
  pool.failed(hung!.engine, 5);
  expect(fill(room, pool, 10)).toEqual([]);
  leave(room, placed.find(({ engine }) => engine.name === "b:1")!);
  expect(fill(room, pool, 20).map(({ engine }) => engine.name)).toEqual(["b:1"]);
  // They do when it is back.
  expect(fill(room, pool, 5_000)).toEqual([]);
});

it("those that were let in count from then on, wherever they are", () => {
  const pool = poolOf("soon", ["a", "b"]);
  const room = new PoolCapacity(new Map([["soon", pool]]));
  const admitted = Array.from({ length: 6 }, () => room.reserve(["soon"], 0));
  expect(admitted).toEqual([true, true, true, true, false, false]);
  room.release("soon");
  expect([room.reserve(["soon"], 0), room.reserve(["soon"], 0)]).toEqual([true, false]);
  expect(room.reservedCount).toBe(4);
});
