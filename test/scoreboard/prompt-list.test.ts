/** The list of prompts is what is in flight, whatever ended, found no room, or died. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { listedPromptsMax } from "../../src/limits.ts";
import { PromptList, promptListLength } from "../../src/scoreboard/prompt-list.ts";

const workers = 3;

function lists(): PromptList[] {
  const memory = new SharedArrayBuffer(promptListLength(workers));
  return Array.from({ length: workers }, (_, worker) => new PromptList(memory, 0, workers, worker));
}

interface Entry {
  readonly worker: number;
  readonly group: number;
  readonly bytes: number;
}

const command = fc.record({
  kind: fc.constantFrom("add", "add", "add", "remove", "die"),
  worker: fc.nat(workers - 1),
  group: fc.constantFrom(-1, 0, 7),
  bytes: fc.nat(5),
  which: fc.nat(),
});

it("holds what was added and not removed, of all workers, oldest first", () => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 80 }), fc.nat(12), (run, most) => {
      const all = lists();
      let held: Entry[] = [];
      for (const [ms, { kind, worker, group, bytes, which }] of run.entries()) {
        if (kind === "add") {
          all[worker]!.add(group, bytes, ms);
          held.push({ worker, group, bytes });
        } else if (kind === "remove" && held.length > 0) {
          const chosen = held[which % held.length]!;
          all[chosen.worker]!.remove(chosen.group, chosen.bytes);
          // Nothing tells two of one size apart: the older goes.
          const same = (one: Entry) =>
            one.worker === chosen.worker &&
            one.group === chosen.group &&
            one.bytes === chosen.bytes;
          held.splice(held.findIndex(same), 1);
        } else if (kind === "die" && which % 8 === 0) {
          all[(worker + 1) % workers]!.closeRow(worker);
          held = held.filter((one) => one.worker !== worker);
        }
      }
      const into = new Float64Array(100);
      for (const list of all) {
        for (const group of [-1, 0, 7]) {
          const there = held.filter((one) => one.group === group).map(({ bytes }) => bytes);
          const count = list.oldest(group, into, most);
          expect([...into.subarray(0, count)]).toEqual(there.slice(0, most));
          const sum = (sizes: number[]) => sizes.reduce((a, b) => a + b, 0);
          list.sums(group, 3, into);
          expect(into[0]).toBe(sum(there.filter((bytes) => bytes <= 3)));
          expect(into[1]).toBe(sum(there));
        }
      }
    }),
    { seed: 5, numRuns: 200 },
  );
});

it("leaves nothing behind of prompts that found their row full", () => {
  const [list] = lists();
  const sizes = Array.from({ length: listedPromptsMax + 500 }, (_, n) => n % 7);
  for (const bytes of sizes) list!.add(0, bytes, 0);
  for (const bytes of sizes.toReversed()) list!.remove(0, bytes);
  expect(list!.oldest(0, new Float64Array(1), 1)).toBe(0);
});

it("removes nothing of another group or size", () => {
  const [list] = lists();
  list!.add(1, 10, 0);
  list!.remove(2, 10);
  list!.remove(1, 11);
  const sums = new Float64Array(2);
  list!.sums(1, 100, sums);
  expect([...sums]).toEqual([10, 10]);
});
