/** Equal hashes must mean equal prefixes, or a prompt is sent to an engine that does not have it. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { scanTopLevel, TopLevel } from "../../../src/body/json/top-level.ts";
import { promptBlocks } from "../../../src/body/prompt/prompt-blocks.ts";

const members = new TopLevel();

function blocksOf(body: object | string, blockBytes = 16, blocksMax = 1_000): number[] {
  const bytes = Buffer.from(typeof body === "string" ? body : JSON.stringify(body));
  expect(scanTopLevel(bytes, 0, bytes.length, members)).toBeUndefined();
  const blocks: number[] = [];
  promptBlocks(members, blockBytes, blocksMax, blocks);
  return blocks;
}

/** Leading blocks that two lists share; behind a difference nothing may be equal any more. */
function shared(one: readonly number[], other: readonly number[]): number {
  let run = 0;
  while (run < one.length && run < other.length && one[run] === other[run]) run += 1;
  for (const block of one.slice(run)) expect(other.slice(run)).not.toContain(block);
  return run;
}

it("prompts share as many blocks as their bytes have in common, whatever stands around them", () => {
  const text = fc.string({ minLength: 0, maxLength: 200 });
  fc.assert(
    fc.property(text, text, text, (common, one, other) => {
      const a = JSON.stringify(common + one);
      const b = JSON.stringify(common + other);
      const [bytesA, bytesB] = [Buffer.from(a), Buffer.from(b)];
      let equal = 0;
      while (equal < bytesA.length && equal < bytesB.length && bytesA[equal] === bytesB[equal]) {
        equal += 1;
      }
      const found = shared(
        blocksOf(`{"model":"m","prompt":${a},"max_tokens":5}`),
        blocksOf(`{ "stream":true, "prompt" : ${b} , "model":"m" }`),
      );
      expect(found).toBe(Math.floor(equal / 16));
    }),
    { numRuns: 400 },
  );
});

it("a chat that goes on keeps the blocks of its earlier turns", () => {
  const turn = (n: number) => ({
    role: n % 2 ? "assistant" : "user",
    content: `turn ${n} `.repeat(9),
  });
  const chat = (turns: number) => ({
    model: "m",
    messages: Array.from({ length: turns }, (_, n) => turn(n)),
  });
  const before = blocksOf(chat(5));
  const after = blocksOf(chat(7));
  expect(after.length).toBeGreaterThan(before.length);
  // The last block of the shorter one holds the bracket that ends its list.
  expect(shared(before, after)).toBeGreaterThanOrEqual(before.length - 1);
});

it.each(["model", "tools", "system", "instructions", "cache_salt"])(
  "the same text with another %s is another prompt",
  (key) => {
    const body = { prompt: "x".repeat(100) };
    expect(shared(blocksOf({ ...body, [key]: "a" }), blocksOf({ ...body, [key]: "b" }))).toBe(0);
    expect(shared(blocksOf({ ...body, [key]: "a" }), blocksOf(body))).toBe(0);
  },
);

it("blocks of zeros differ from each other by their place, and a swap of two is seen", () => {
  const blocks = blocksOf({ prompt: "0".repeat(400) });
  expect(new Set(blocks).size).toBe(blocks.length);
  const a = blocksOf({ prompt: "a".repeat(15) + "b".repeat(16) + "c".repeat(16) });
  const b = blocksOf({ prompt: "a".repeat(15) + "c".repeat(16) + "b".repeat(16) });
  expect(shared(a, b)).toBe(1);
});

it("what has no prompt, or too short a one, has no blocks; a long one no more than allowed", () => {
  expect(blocksOf({ model: "m" })).toEqual([]);
  expect(blocksOf({ prompt: "short" })).toEqual([]);
  expect(blocksOf({ prompt: "x".repeat(1_000) }, 16, 7)).toHaveLength(7);
});

it("hashes are safe integers, and 200,000 of them are all different", () => {
  const seen = new Set<number>();
  for (let i = 0; i < 200; i += 1) {
    for (const block of blocksOf({ prompt: `${i}`.padEnd(16_000, "ab") })) {
      expect(Number.isSafeInteger(block)).toBe(true);
      seen.add(block);
    }
  }
  expect(seen.size).toBe(200 * 1_000);
});
