/** A wrong run sends a prompt to an engine that does not have it, and a mirror without bound takes all memory. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { IntKeyTable } from "../../src/prefix-cache/int-key-table.ts";
import { PrefixIndex } from "../../src/prefix-cache/prefix-index.ts";
import { Lease } from "../../src/scoreboard/lease.ts";
import { createScoreboardMemory, Scoreboard } from "../../src/scoreboard/scoreboard.ts";
import { poolOf, request } from "../policies/pool-view.ts";

const of = (engines: number) => poolOf(new Array<number>(engines).fill(1));

const asking = (blocks: readonly number[]) => request({ blocks });

/** Blocks as they are made: each names all that is before it, as no two parents share a child. */
function chained(steps: readonly number[]): number[] {
  let name = 0;
  return steps.map((step) => {
    name = name * 4 + step + 1;
    return name;
  });
}

const prompt = fc.array(fc.nat(2), { maxLength: 12 }).map(chained);
const engines = 40;
const step = fc.oneof(
  fc.record({ engine: fc.nat(engines - 1), prompt }),
  fc.record({ engine: fc.nat(engines - 1), believed: fc.nat(9), reported: fc.nat(9) }),
);

/** The plain form: one set per engine, in the order of last use. */
class Plain {
  readonly blocks = new Set<number>();
  max: number;
  constructor(max: number) {
    this.max = max;
  }
  insert(prompt: readonly number[]) {
    for (const block of prompt.toReversed()) {
      this.blocks.delete(block);
      this.blocks.add(block);
    }
    this.evict();
  }
  evict() {
    for (const block of this.blocks) {
      if (this.blocks.size <= this.max) return;
      this.blocks.delete(block);
    }
  }
  run(prompt: readonly number[]) {
    const missing = prompt.findIndex((block) => !this.blocks.has(block));
    return missing < 0 ? prompt.length : missing;
  }
}

it("finds the runs that a set per engine would find, through insertions, evictions and learning", () => {
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 60 }),
      prompt,
      fc.integer({ min: 64, max: 90 }),
      (steps, asked, max) => {
        const index = new PrefixIndex(of(engines), max);
        const plain = Array.from({ length: engines }, () => new Plain(max));
        for (const one of steps) {
          const mirror = plain[one.engine]!;
          if ("prompt" in one) {
            index.insert(one.engine, one.prompt);
            mirror.insert(one.prompt);
            continue;
          }
          index.applyDiscovered(one.engine, one.believed, one.reported);
          if (one.reported > one.believed) mirror.max *= 1.02;
          if (one.reported < one.believed) {
            mirror.max = Math.max(64, Math.min(mirror.max, mirror.blocks.size) * 0.98);
            mirror.evict();
          }
        }
        const runs = index.runs(asking(asked));
        for (const [engine, mirror] of plain.entries()) {
          expect(index.size(engine)).toBe(mirror.blocks.size);
          expect(index.leadingBlocks(engine, asking(asked))).toBe(mirror.run(asked));
          expect(runs[engine]).toBe(mirror.run(asked));
        }
      },
    ),
    { seed: 4, numRuns: 200 },
  );
});

describe("of a prompt that several engines have to different depths", () => {
  const long = Array.from({ length: 50 }, (_, i) => 2 ** 52 + i);
  const index = new PrefixIndex(of(70));
  index.insert(3, long);
  index.insert(64, long.slice(0, 17));
  index.insert(31, long.slice(0, 1));
  index.insert(32, [...long.slice(0, 16), 5, 6]);

  it("each engine has its own run, in every word of the bits", () => {
    const expected = new Array<number>(70).fill(0);
    expected[3] = 50;
    expected[64] = 17;
    expected[31] = 1;
    expected[32] = 16;
    expect([...index.runs(asking(long))]).toEqual(expected);
    expect([...index.runs(asking([...long, 1, 2]))]).toEqual(expected);
    expect(Math.max(...index.runs(asking([9, 10])))).toBe(0);
    expect(Math.max(...index.runs(asking([])))).toBe(0);
  });
});

it("holds no more than its bound over all engines, however much is inserted or learned", () => {
  const index = new PrefixIndex(of(16_000));
  const prompt = (n: number) => Array.from({ length: 50 }, (_, i) => n * 100 + i);
  for (let n = 0; n < 20; n += 1) {
    index.insert(7, prompt(n));
    index.applyDiscovered(7, 0, 50);
  }
  expect(index.size(7)).toBe(262);
  expect(index.leadingBlocks(7, asking(prompt(15)))).toBe(50);
  expect(index.leadingBlocks(7, asking(prompt(14)))).toBe(12);
});

it("a table of numbers is a map, whatever is added and removed", () => {
  const key = fc.oneof(
    fc.nat(60),
    fc.nat(40).map((n) => n * 2 ** 32),
    fc.maxSafeNat(),
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), key), { maxLength: 300 }), (steps) => {
      const table = new IntKeyTable();
      const map = new Map<number, number>();
      for (const [adds, one] of steps) {
        if (adds && !map.has(one)) map.set(one, table.add(one));
        else if (!adds && map.delete(one)) table.remove(one);
        expect(table.size).toBe(map.size);
        expect(new Set(map.values()).size).toBe(map.size);
      }
      for (const [, one] of steps) expect(table.find([one], 0)).toBe(map.get(one) ?? -1);
      for (const [one, number] of map) expect(table.key(number)).toBe(one);
      expect(Math.max(-1, ...map.values())).toBeLessThan(table.capacity);
    }),
    { seed: 5, numRuns: 300 },
  );
});

it("all workers know where each has sent a prompt, and a new configuration what was sent before it", () => {
  const memory = createScoreboardMemory({ workers: 2, slots: 4 });
  const boards = [new Scoreboard(memory, 0), new Scoreboard(memory, 1)] as const;
  const view = (board: Scoreboard, slots: readonly number[]) => ({
    size: slots.length,
    slots,
    board,
  });
  const one = new PrefixIndex(view(boards[0], [1, 3]));
  const two = new PrefixIndex(view(boards[1], [1, 3]));
  one.insert(1, [5, 6, 7]);
  two.insert(0, [5, 6]);
  expect([[...one.runs(asking([5, 6, 7]))], [...two.runs(asking([5, 6, 7]))]]).toEqual([
    [2, 3],
    [2, 3],
  ]);
  // The first engine is gone, the second one has another number, and one is new that has the first one's slot.
  boards[0].clearSlot(1);
  const next = new PrefixIndex(view(boards[0], [3, 1]));
  expect([...next.runs(asking([5, 6, 7]))]).toEqual([3, 0]);
});

it("an engine that was started anew has nothing, for all workers at once, until something is sent there again", () => {
  const memory = createScoreboardMemory({ workers: 2, slots: 4 });
  const boards = [new Scoreboard(memory, 0), new Scoreboard(memory, 1)] as const;
  const [one, two] = boards.map((board) => new PrefixIndex({ size: 2, slots: [1, 3], board })) as [
    PrefixIndex,
    PrefixIndex,
  ];
  const asked = asking([5, 6, 7]);
  for (const engine of [0, 1]) one.insert(engine, asked.blocks);
  expect([...two.runs(asked)]).toEqual([3, 3]);
  // What was written before it, and is read only now, does not count either.
  one.insert(1, [8, 9]);
  boards[0].prefixes.clearSlot(3);
  for (const index of [one, two]) {
    expect([...index.runs(asked)]).toEqual([3, 0]);
    expect(index.leadingBlocks(1, asking([8, 9]))).toBe(0);
  }
  two.insert(1, [5, 6]);
  for (const index of [one, two]) expect([...index.runs(asked)]).toEqual([3, 2]);
});

it("an engine's own word counts more than what was sent there, but for what may still be computed", () => {
  const pool = of(4);
  const index = new PrefixIndex(pool);
  let nowMs = 1_000_000;
  for (const slot of pool.slots as Int32Array) pool.board.take(slot, 1, 0, 1);
  const reported = [4, 0, -1, 2];
  const asked = request({ blocks: [5, 6, 7, 8], reported, clock: { wallMs: () => nowMs } });
  for (const engine of [0, 1, 2]) index.insert(engine, [5, 6, 7]);
  const both = () => {
    const runs = [...index.runs(asked)];
    expect(runs.map((_, engine) => index.leadingBlocks(engine, asked))).toEqual(runs);
    return runs;
  };
  expect(both()).toEqual([4, 0, 3, 2]);
  for (const engine of [1, 3]) index.insert(engine, [5, 6, 7]);
  expect(both()).toEqual([4, 3, 3, 3]);
  nowMs += 990;
  expect(both()).toEqual([4, 3, 3, 3]);
  // Answers of one engine take longer than those of the other.
  pool.board.observe(pool.slots[3]!, 3_000, 3_000);
  nowMs += 2_000;
  expect(both()).toEqual([4, 0, 3, 3]);
  nowMs += 20_000;
  expect(both()).toEqual([4, 0, 3, 2]);
  index.insert(3, [5, 6, 7]);
  expect(both()).toEqual([4, 0, 3, 3]);
  // What has nothing to do computes nothing.
  new Lease(pool.board, pool.slots[3]!, 1, 1).close();
  expect(both()).toEqual([4, 0, 3, 2]);
});
