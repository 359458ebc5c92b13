/** Names in a recorded trace tell equal from different, and nothing else. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { SaltedIds } from "../../../src/body/prompt/salted-ids.ts";

const hashes = fc.array(fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }), { maxLength: 50 });

test("the same salt gives equal blocks equal names, wherever they stand, and others other names", () => {
  fc.assert(
    fc.property(hashes, hashes, (some, others) => {
      const ids = new SaltedIds("secret");
      const names = new Map(some.map((hash, i) => [hash, ids.of(some)[i]!]));
      new SaltedIds("secret").of(others).forEach((name, i) => {
        const known = names.get(others[i]!);
        if (known === undefined) expect([...names.values()]).not.toContain(name);
        else expect(name).toBe(known);
      });
      expect(new Set(names.values()).size).toBe(new Set(some).size);
    }),
  );
});

test("names are whole numbers that JSON keeps, and another salt gives other ones", () => {
  const some = Array.from({ length: 2000 }, (_, i) => i);
  const names = new SaltedIds("a").of(some);
  expect(names.every((name) => Number.isSafeInteger(name) && name >= 0)).toBe(true);
  const others = new Set(new SaltedIds("b").of(some));
  expect(names.some((name) => others.has(name))).toBe(false);
  expect(names.some((name) => some.includes(name))).toBe(false);
});
