/** The load that policies see is the load there is: after any order of takes, gives and deaths of workers. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createScoreboardMemory, Scoreboard } from "../../src/scoreboard/scoreboard.ts";

const workers = 3;
const slots = 4;

function boards(): Scoreboard[] {
  const memory = createScoreboardMemory({ workers, slots });
  return Array.from({ length: workers }, (_, worker) => new Scoreboard(memory, worker));
}

interface Held {
  readonly worker: number;
  readonly slot: number;
  readonly bytes: number;
}

const worker = fc.nat(workers - 1);
const slot = fc.nat(slots - 1);
// Sums of these stay below 2^53, up to where a float64 is exact.
const bytes = fc.oneof(fc.nat(100), fc.nat(2 ** 40));
const take = fc.record({ kind: fc.constant("take"), worker, slot, bytes, max: fc.nat(3) } as const);
const giveBack = fc.record({ kind: fc.constant("giveBack"), which: fc.nat() } as const);
const closeRow = fc.record({ kind: fc.constant("closeRow"), worker } as const);
const commands = fc.array(
  fc.oneof(
    { arbitrary: take, weight: 6 },
    { arbitrary: giveBack, weight: 5 },
    { arbitrary: closeRow, weight: 1 },
  ),
  { maxLength: 80 },
);

function expectEqual(all: readonly Scoreboard[], held: readonly Held[]): void {
  for (let at = 0; at < slots; at += 1) {
    const there = held.filter((one) => one.slot === at);
    const sum = there.reduce((total, one) => total + one.bytes, 0);
    for (const board of all) {
      expect([board.inFlight(at), board.promptBytes(at)]).toEqual([there.length, sum]);
    }
  }
}

it("totals are what is taken, in any order of takes, gives and deaths of workers", () => {
  fc.assert(
    fc.property(commands, (run) => {
      const all = boards();
      let held: Held[] = [];
      for (const command of run) {
        if (command.kind === "take") {
          const { worker: by, slot: at, bytes: size, max } = command;
          const full = max > 0 && held.filter((one) => one.slot === at).length >= max;
          expect(all[by]!.take(at, size, max)).toBe(!full);
          if (!full) held.push({ worker: by, slot: at, bytes: size });
        } else if (command.kind === "giveBack" && held.length > 0) {
          const [one] = held.splice(command.which % held.length, 1);
          all[one!.worker]!.giveBack(one!.slot, one!.bytes);
        } else if (command.kind === "closeRow") {
          // The main thread closes it, by an instance of its own.
          all[0]!.closeRow(command.worker);
          held = held.filter((one) => one.worker !== command.worker);
        }
        expectEqual(all, held);
      }
    }),
    { seed: 11, numRuns: 300 },
  );
});

it("a refused take leaves no trace in load or history", () => {
  const [board] = boards();
  expect(board!.take(1, 100, 1)).toBe(true);
  expect(board!.take(1, 900, 1)).toBe(false);
  expect([board!.inFlight(1), board!.promptBytes(1)]).toEqual([1, 100]);
  expect([board!.history.requests(1), board!.history.bytes(1)]).toEqual([1, 100]);
});

it("a lower bound after a reload refuses until enough has ended", () => {
  const [board] = boards();
  for (let i = 0; i < 3; i += 1) board!.take(0, 1, 3);
  expect(board!.take(0, 1, 2)).toBe(false);
  board!.giveBack(0, 1);
  expect(board!.take(0, 1, 2)).toBe(false);
  board!.giveBack(0, 1);
  expect(board!.take(0, 1, 2)).toBe(true);
});

it("slots do not run into each other, in any field", () => {
  const all = boards();
  for (let at = 0; at < slots; at += 1) {
    for (const board of all) board.take(at, 10 ** at, 0);
    all[0]!.failures.add(at);
    all[0]!.failures.setAccessedAt(at, 1000 + at);
    all[0]!.failures.setCheckedAt(at, 2000 + at);
    all[0]!.history.countTowardsMerge(at, 99);
  }
  all[1]!.history.merge([2], 2);
  for (let at = 0; at < slots; at += 1) {
    const board = all[2]!;
    expect([board.inFlight(at), board.promptBytes(at), board.failures.count(at)]).toEqual([
      3,
      3 * 10 ** at,
      1,
    ]);
    expect([board.failures.accessedAt(at), board.failures.checkedAt(at)]).toEqual([
      1000 + at,
      2000 + at,
    ]);
    expect([board.history.requests(at), board.history.bytes(at)]).toEqual([3, 3 * 10 ** at]);
  }
});

describe("a cleared slot", () => {
  it("has nothing of the engine that had it, and its neighbours keep theirs", () => {
    const all = boards();
    for (const at of [0, 1, 2]) {
      for (const board of all) board.take(at, 7, 0);
      all[0]!.failures.add(at);
      all[0]!.failures.setAccessedAt(at, 5);
      all[0]!.failures.setCheckedAt(at, 6);
      all[0]!.history.countTowardsMerge(at, 9);
      all[0]!.history.merge([at], 2);
    }
    all[0]!.clearSlot(1);
    const state = (at: number) => {
      const board = all[1]!;
      return [
        board.inFlight(at),
        board.promptBytes(at),
        board.failures.count(at),
        board.failures.accessedAt(at),
        board.failures.checkedAt(at),
        board.history.requests(at),
        board.history.bytes(at),
      ];
    };
    expect(state(1)).toEqual([0, 0, 0, 0, 0, 0, 0]);
    expect(state(0)).toEqual([3, 21, 1, 5, 6, 3, 21]);
    expect(state(2)).toEqual(state(0));
    // The count towards the pool's merge starts anew as well.
    expect(all[2]!.history.countTowardsMerge(1, 2)).toBe(false);
    expect(all[2]!.history.countTowardsMerge(1, 2)).toBe(true);
  });
});

it("the death of a worker in a merge does not end the decay for good", () => {
  const all = boards();
  all[0]!.take(0, 100, 0);
  all[0]!.history.merge([0], 2);
  const dying = {
    length: 1,
    get 0(): number {
      if (reads++ === 0) return 0;
      throw new Error("killed");
    },
  };
  let reads = 0;
  expect(() => all[2]!.history.merge(dying, 2)).toThrow("killed");
  all[0]!.history.merge([0], 2);
  expect(all[0]!.history.bytes(0)).toBe(100);
  all[0]!.closeRow(2);
  all[0]!.history.merge([0], 2);
  expect(all[0]!.history.bytes(0)).toBe(50);
});
