/**
 * The history that length_balance decides by equals a straightforward model of the document: every `threshold`
 * assignments of a pool, each engine's total becomes floor(total / decay) + recent, whether it was picked lately or
 * not.
 */
import fc from "fast-check";
import { expect, it } from "vitest";
import { policySchema } from "../../src/config/schema/pool/policies.ts";
import { createScoreboardMemory, Scoreboard } from "../../src/scoreboard/scoreboard.ts";

class Model {
  readonly total: { requests: number; bytes: number }[];
  readonly recent: { requests: number; bytes: number }[];
  readonly #threshold: number;
  readonly #decay: number;
  #count = 0;

  constructor(engines: number, threshold: number, decay: number) {
    this.total = Array.from({ length: engines }, () => ({ requests: 0, bytes: 0 }));
    this.recent = Array.from({ length: engines }, () => ({ requests: 0, bytes: 0 }));
    this.#threshold = threshold;
    this.#decay = decay;
  }

  assign(engine: number, bytes: number): void {
    this.recent[engine]!.requests += 1;
    this.recent[engine]!.bytes += bytes;
    this.#count += 1;
    if (this.#count < this.#threshold) return;
    this.#count = 0;
    this.total.forEach((total, i) => {
      const recent = this.recent[i]!;
      total.requests = Math.floor(total.requests / this.#decay) + recent.requests;
      total.bytes = Math.floor(total.bytes / this.#decay) + recent.bytes;
      recent.requests = 0;
      recent.bytes = 0;
    });
  }
}

const workers = 2;
const engines = 3;

it("equals the model for any assignments, thresholds and decays, over all workers", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(workers - 1), fc.nat(engines - 1), fc.nat(2 ** 30)), {
        maxLength: 120,
      }),
      fc.integer({ min: 1, max: 9 }),
      fc.integer({ min: 1, max: 5 }),
      (assignments, threshold, decay) => {
        // Slots in another order than engines: the pool's first engine counts, whatever its slot.
        const slots = [4, 0, 2];
        const memory = createScoreboardMemory({ workers, slots: 5 });
        const boards = Array.from({ length: workers }, (_, i) => new Scoreboard(memory, i));
        const model = new Model(engines, threshold, decay);
        for (const [by, engine, bytes] of assignments) {
          const board = boards[by]!;
          board.take(slots[engine]!, bytes, 0);
          if (board.history.countTowardsMerge(slots[0]!, threshold))
            board.history.merge(slots, decay);
          // What has ended stays in the history.
          board.giveBack(slots[engine]!, bytes);
          model.assign(engine, bytes);
          for (let i = 0; i < engines; i += 1) {
            const total = model.total[i]!;
            const recent = model.recent[i]!;
            expect(boards[0]!.history.requests(slots[i]!)).toBe(total.requests + recent.requests);
            expect(boards[1]!.history.bytes(slots[i]!)).toBe(total.bytes + recent.bytes);
          }
        }
      },
    ),
    { seed: 5, numRuns: 200 },
  );
});

it("an engine that is not picked decays too: one huge prompt does not starve it for good", () => {
  const board = new Scoreboard(createScoreboardMemory({ workers: 1, slots: 2 }), 0);
  board.take(0, 1_000_000, 0);
  for (let i = 0; i < 25; i += 1) {
    board.take(1, 0, 0);
    board.history.merge([0, 1], 2);
  }
  expect(board.history.bytes(0)).toBe(0);
});

it("survives the death of a worker: what it assigned was assigned", () => {
  const memory = createScoreboardMemory({ workers: 2, slots: 1 });
  const [one, two] = [new Scoreboard(memory, 0), new Scoreboard(memory, 1)];
  one.take(0, 10, 0);
  two.take(0, 20, 0);
  one.closeRow(1);
  expect([one.history.requests(0), one.history.bytes(0), one.promptBytes(0)]).toEqual([2, 30, 10]);
  // The worker that takes over the row goes on with its sums.
  new Scoreboard(memory, 1).take(0, 5, 0);
  expect([one.history.requests(0), one.history.bytes(0), one.promptBytes(0)]).toEqual([3, 35, 15]);
});

it("keeps the documented defaults", () => {
  expect(policySchema.parse({ name: "length_balance" })).toEqual({
    name: "length_balance",
    mergeThreshold: 32,
    requestLengthWeight: 1,
    decayFactor: 2,
  });
});
