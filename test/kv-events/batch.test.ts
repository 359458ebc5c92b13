/** Batches of KV events in every encoding that engines have had, and what is none. */
import { encode } from "@msgpack/msgpack";
import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { readKvBatch } from "../../src/kv-events/batch.ts";
import type { BlocksRemoved } from "../../src/prefix-cache/kv-event.ts";

const pack = (value: unknown) => encode(value, { useBigInt64: true });
const eventsOf = (batch: unknown) => {
  const read = readKvBatch(pack(batch));
  return typeof read === "string" ? read : read.events;
};

const big = 0xffff_ffff_ffff_fffdn;
const stored = {
  type: "stored",
  hashes: [big, big + 1n],
  parent: -5n,
  tokens: [1, 2, 3, 4],
  blockTokens: 2,
  plainBlocks: 2,
};
const array = ["BlockStored", [big, big + 1n], -5n, [1, 2, 3, 4], 2, null, "GPU"];
const map = {
  type: "BlockStored",
  block_hashes: [big, big + 1n],
  parent_block_hash: -5n,
  token_ids: [1, 2, 3, 4],
  block_size: 2,
};

describe("both encodings say the same", () => {
  test.each([
    ["arrays", [1.5, [array]]],
    ["arrays with a rank", [1.5, [array], 3]],
    ["short arrays", [1.5, [array.slice(0, 5)]]],
    ["maps", [1.5, [map]]],
    ["a map of maps", { ts: 1.5, events: [map], data_parallel_rank: 0 }],
  ])("%s", (_, batch) => {
    expect(eventsOf(batch)).toEqual([stored]);
  });

  test("removals and resets", () => {
    const arrays = [1, [["BlockRemoved", [1n], "GPU"], ["AllBlocksCleared"]]];
    const maps = [1, [{ type: "BlockRemoved", block_hashes: [1n] }, { type: "AllBlocksCleared" }]];
    const expected = [{ type: "removed", hashes: [1n] }, { type: "cleared" }];
    expect(eventsOf(arrays)).toEqual(expected);
    expect(eventsOf(maps)).toEqual(expected);
  });
});

test("64-bit hashes that differ by one are not the same, nor are those of bytes", () => {
  const hashes = [big, big - 1n, new Uint8Array(32).fill(0xfe), new Uint8Array(32).fill(0xff)];
  const events = eventsOf([1, [["BlockRemoved", hashes]]]);
  expect(events).toEqual([{ type: "removed", hashes: expect.anything() }]);
  const [event] = events as readonly BlocksRemoved[];
  expect(new Set(event!.hashes).size).toBe(4);
});

test("what is not on the accelerator is not there", () => {
  const elsewhere = [...array.slice(0, 6), "CPU"];
  expect(eventsOf([1, [elsewhere, ["BlockRemoved", [1n], "CPU"]]])).toEqual([]);
});

test.each([
  ["a LoRA", [...array.slice(0, 5), 7, "GPU"], 0],
  ["a LoRA's name", [...array, "lora"], 0],
  ["an image in the second block", [...array, null, [null, ["image"]]], 1],
  ["a salt", [...array, null, [["salt"], null]], 0],
  ["keys that are not understood", [...array, null, "salt"], 0],
])("blocks that %s names beside their tokens are told apart", (_, event, plainBlocks) => {
  expect(eventsOf([1, [event]])).toEqual([{ ...stored, plainBlocks }]);
});

describe("what leaves open what the engine has is reported", () => {
  test.each([
    ["no batch", 7],
    ["nothing", null],
    ["no events", [1, 2]],
    ["another event", [1, [["BlockMoved", [1n]]]]],
    ["no hashes", [1, [["BlockRemoved", 5]]]],
    ["a hash that is none", [1, [["BlockRemoved", [{}]]]]],
    ["tokens of other blocks", [1, [["BlockStored", [1n], null, [1, 2, 3], 2]]]],
    ["tokens that are none", [1, [["BlockStored", [1n], null, ["a", 2], 2]]]],
    ["no block size", [1, [["BlockStored", [], null, [], 0]]]],
    ["a second group of caches", [1, [{ ...map, group_idx: 1 }]]],
  ])("%s", (_, batch) => {
    expect(eventsOf(batch)).toBeTypeOf("string");
  });
});

it("noise is a result, never an exception", () => {
  const valid = pack([1.5, [array, map, ["AllBlocksCleared"]]]);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void readKvBatch(bytes)),
    { numRuns: 500 },
  );
  fc.assert(
    fc.property(fc.nat(valid.length - 1), fc.nat(255), fc.nat(valid.length), (at, byte, end) => {
      const bytes = Uint8Array.from(valid).subarray(0, end);
      if (at < end) bytes[at] = byte;
      readKvBatch(bytes);
    }),
    { numRuns: 500 },
  );
});
