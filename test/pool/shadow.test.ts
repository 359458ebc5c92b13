/**
 * A second policy that follows the first one: it goes by its own load, leaves nothing behind, and no fault of it
 * reaches a request.
 */
import { expect, it } from "vitest";
import { type ConfigInput, configSchema } from "../../src/config/schema/schema.ts";
import { sumOfShadows } from "../../src/control/workers/shadow-reports.ts";
import { type Placement, Pool } from "../../src/pool/pool.ts";
import { SlotTable } from "../../src/pool/slots.ts";
import { createScoreboardMemory, Scoreboard } from "../../src/scoreboard/scoreboard.ts";

type PoolInput = NonNullable<ConfigInput["pools"]>[string];

/** Of `engines` engines; `random` is the shadow's. */
function poolOf(input: Partial<PoolInput>, { engines = 3, random = (): number => 0.5 } = {}) {
  const config = configSchema.parse({
    pools: {
      p: { engines: Array.from({ length: engines }, (_, i) => ({ url: `e${i}:1` })), ...input },
    },
    servers: [{ listen: [{ port: 1 }], routes: [] }],
  });
  const boardOf = () => new Scoreboard(createScoreboardMemory({ workers: 1, slots: 8 }), 0);
  const board = boardOf();
  const shadowBoard = boardOf();
  const reported: string[] = [];
  const pool = new Pool("p", config.pools["p"]!, {
    board,
    slots: new SlotTable(8, () => {}).assign(config),
    random: () => 0.5,
    shadows: { board: shadowBoard, random, failed: (message) => reported.push(message) },
  });
  const loads = (one: Scoreboard) => pool.engines.map(({ slot }) => one.inFlight(slot));
  const place = (bytes = 4_000, blocks: readonly number[] = []): Placement =>
    pool.place(requestOf(bytes, blocks), [], 0) as Placement;
  return { pool, place, reported, real: () => loads(board), shadow: () => loads(shadowBoard) };
}

const requestOf = (bytes: number, blocks: readonly number[] = []) => ({
  bytes,
  tokens: bytes / 4,
  blocks,
  clientAddress: "10.0.0.1",
  key: "",
  clock: { wallMs: () => 0 },
});

function end({ lease, shadow }: Placement): void {
  shadow?.close();
  lease.close();
}

it("it goes by what it would have sent, not by what was sent, and gives it back with the request", () => {
  const { place, pool, real, shadow } = poolOf({
    policy: { name: "round_robin" },
    shadow: { name: "least_bytes" },
  });
  const open = [90_000, 10, 10, 10, 10, 10].map((bytes) => place(bytes));
  expect(real()).toEqual([2, 2, 2]);
  expect(shadow().toSorted()).toEqual([1, 2, 3]);
  const report = pool.shadowReport()!;
  expect(report).toMatchObject({ policy: "round_robin", shadow: "least_bytes", picks: 6 });
  expect(report.engines.map((one) => one.real)).toEqual([2, 2, 2]);
  expect(report.engines.map((one) => one.shadow)).toEqual(shadow());
  expect(report.differed).toBeGreaterThan(0);
  for (const one of open) {
    end(one);
    end(one);
  }
  expect([real(), shadow()]).toEqual([
    [0, 0, 0],
    [0, 0, 0],
  ]);
});

it("tells what each of the two would have found in the caches, and what computing the rest takes", () => {
  const { place, pool } = poolOf({
    policy: { name: "round_robin" },
    shadow: { name: "cache_aware" },
  });
  const blocks = [11, 12, 13, 14];
  for (let i = 0; i < 6; i += 1) end(place(8_192, blocks));
  const { cachedTokens, prefillMs, promptTokens } = pool.shadowReport()!;
  expect(promptTokens).toBe(6 * 2_048);
  // Each of three engines has it once, or one of them alone.
  expect(cachedTokens).toEqual({ real: 3 * 2_048, shadow: 5 * 2_048 });
  expect(prefillMs.shadow).toBeLessThan(prefillMs.real);
});

it("follows prompts that waited, and those that a retry sends; not those that only one engine can take", () => {
  const { pool } = poolOf({ policy: { name: "predictive" }, shadow: { name: "least_conn" } });
  const held = pool.placeAt(pool.engines[2]!, requestOf(10), 0)!;
  expect(pool.shadowReport()).toMatchObject({ picks: 1 });
  const retried = pool.place(requestOf(10), [0, 1], 0) as Placement;
  expect(pool.shadowReport()!.engines[2]).toMatchObject({ real: 2 });
  const bound = pool.place({ ...requestOf(10), requiredEngine: 1 }, [], 0) as Placement;
  const warm = pool.place({ ...requestOf(10), stickyEngine: 1 }, [], 0) as Placement;
  expect([bound.shadow, warm.shadow]).toEqual([undefined, undefined]);
  expect(pool.shadowReport()).toMatchObject({ picks: 2 });
  for (const one of [held, retried, bound, warm]) end(one);
});

it.each([
  [
    "throws",
    () => {
      throw new Error("no luck");
    },
    /no luck/,
  ],
  ["picks nothing", () => Number.NaN, /no candidate/],
])("one that %s is switched off, told once, and touches no request", (_, random, why) => {
  let calls = 0;
  const { place, pool, reported, real, shadow } = poolOf(
    { policy: { name: "round_robin" }, shadow: { name: "power_of_two" } },
    { random: () => (++calls <= 4 ? 0.5 : random()) },
  );
  const open = Array.from({ length: 12 }, () => place());
  expect(real()).toEqual([4, 4, 4]);
  expect(reported).toEqual([
    expect.stringMatching(/^shadow power_of_two of pool "p" is switched off: /),
  ]);
  expect(reported[0]).toMatch(why);
  expect(pool.shadowReport()!.fault).toMatch(why);
  open.forEach(end);
  expect(shadow()).toEqual([0, 0, 0]);
});

it("nothing follows where none is configured, or in a thread that sends nothing", () => {
  const { place, pool } = poolOf({ policy: { name: "round_robin" } });
  expect(place().shadow).toBeUndefined();
  expect([pool.shadowReport(), pool.usesBlocks]).toEqual([undefined, false]);
});

it("reports of workers add up", () => {
  const reports = [1, 2].map((times) => {
    const { place, pool } = poolOf({
      policy: { name: "round_robin" },
      shadow: { name: "least_conn" },
    });
    for (let i = 0; i < times * 3; i += 1) end(place());
    return [pool.shadowReport()!];
  });
  const [sum] = sumOfShadows(reports);
  expect(sum).toMatchObject({ pool: "p", picks: 9, promptTokens: 9_000 });
  expect(sum!.engines.map(({ real }) => real)).toEqual([3, 3, 3]);
  expect(sum!.engines.reduce((all, { shadow }) => all + shadow, 0)).toBe(9);
});
