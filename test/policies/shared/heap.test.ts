/** The heap gives the least key first, also after keys on top were raised. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { Heap } from "../../../src/policies/shared/heap.ts";

it("yields numbers in the order of their keys, the top's raised now and then", () => {
  const turns = fc.array(fc.record({ key: fc.nat(50), raise: fc.nat(30) }), { maxLength: 40 });
  fc.assert(
    fc.property(turns, (run) => {
      const heap = new Heap(40);
      const keys = run.map(({ key }) => key);
      keys.forEach((key, number) => void heap.add(number, key));
      for (const { raise } of run) {
        expect(heap.topKey).toBe(Math.min(...keys.filter((key) => key >= 0)));
        const number = heap.top;
        expect(keys[number]).toBe(heap.topKey);
        if (raise > 15) {
          keys[number] = keys[number]! + raise;
          heap.raiseTop(keys[number]!);
        } else {
          keys[number] = -1;
          heap.removeTop();
        }
      }
      expect(heap.count).toBe(keys.filter((key) => key >= 0).length);
    }),
    { seed: 1 },
  );
});
