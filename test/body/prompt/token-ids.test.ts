/** Answers to `/tokenize`, and what is none. */
import fc from "fast-check";
import { expect, it, test } from "vitest";
import { tokenIdsIn } from "../../../src/body/prompt/token-ids.ts";

const read = (text: string) => {
  const ids = tokenIdsIn(Buffer.from(text));
  return ids && [...ids];
};

it("reads what JSON reads, however it is written", () => {
  const id = fc.integer({ min: 0, max: 0x7fff_ffff });
  fc.assert(
    fc.property(fc.array(id, { minLength: 1 }), fc.nat(2), (tokens, space) => {
      expect(read(JSON.stringify({ count: 1, tokens, token_strs: null }, null, space))).toEqual(
        tokens,
      );
    }),
  );
});

test("an id above 2^31 keeps its 32 bits", () => {
  expect(read('{"tokens":[4294967295]}')).toEqual([-1]);
});

test.each([
  ["nothing", ""],
  ["an error", '{"error":{"message":"no"}}'],
  ["an empty list", '{"tokens":[]}'],
  ["lists in a list", '{"tokens":[[1,2],[3]]}'],
  ["texts", '{"tokens":["a"]}'],
  ["fractions", '{"tokens":[1.5]}'],
  ["negative ids", '{"tokens":[-1]}'],
  ["too large ids", '{"tokens":[4294967296]}'],
  ["a number that is missing", '{"tokens":[1,,2]}'],
  ["no list", '{"tokens":7}'],
  ["half an answer", '{"tokens":[1,2'],
])("%s is no list of ids", (_, text) => {
  expect(read(text)).toBeUndefined();
});

it("noise is no exception", () => {
  fc.assert(
    fc.property(fc.string(), (noise) => {
      tokenIdsIn(Buffer.from(noise));
      tokenIdsIn(Buffer.from(`{"tokens":[${noise}]}`));
    }),
  );
});
