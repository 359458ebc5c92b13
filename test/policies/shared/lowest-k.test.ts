/** Only a few of many engines are told of: they must be those with the least scores. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { lowestK } from "../../../src/policies/shared/lowest-k.ts";

it("finds what sorting all would have put first", () => {
  const scores = fc.array(fc.oneof(fc.nat(20), fc.constant(Number.POSITIVE_INFINITY)));
  fc.assert(
    fc.property(scores, fc.integer({ min: 1, max: 8 }), (all, most) => {
      const found = lowestK(all.length, most, (number) => all[number]!);
      const sorted = all
        .map((_, number) => number)
        .sort((a, b) => {
          return all[a]! === all[b]! ? a - b : all[a]! - all[b]!;
        });
      expect(found).toEqual(sorted.slice(0, most));
    }),
  );
});
