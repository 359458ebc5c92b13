/**
 * What an engine tells of its cache, in any order, against an oracle that keeps the tokens themselves: no block is ever
 * claimed that is not there.
 */
import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import type { BlockHash, KvEvent } from "../../src/prefix-cache/kv-event.ts";
import { ReportedPrefixCache } from "../../src/prefix-cache/reported-prefix-cache.ts";
import { TokenKeys } from "../../src/prefix-cache/token-keys.ts";

const blockTokens = 2;

function stored(
  hashes: readonly BlockHash[],
  parent: BlockHash | undefined,
  tokens: readonly number[],
  plainBlocks = hashes.length,
): KvEvent {
  return { type: "stored", hashes, parent, tokens, blockTokens, plainBlocks };
}

const keys = (...tokens: number[]) => new TokenKeys(Int32Array.from(tokens));

/** By the engine's names: all tokens from the start of the prompt to the end of the block. */
class Oracle {
  readonly #blocks = new Map<BlockHash, string>();

  apply(event: KvEvent): void {
    if (event.type === "cleared") this.#blocks.clear();
    else if (event.type === "removed") for (const hash of event.hashes) this.#blocks.delete(hash);
    else {
      let before = event.parent === undefined ? "" : this.#blocks.get(event.parent);
      event.hashes.forEach((hash, i) => {
        this.#blocks.delete(hash);
        const isThere = before === "" || [...this.#blocks.values()].includes(before ?? "none");
        if (before === undefined || i >= event.plainBlocks || !isThere) {
          before = undefined;
          return;
        }
        before = `${before}${event.tokens.slice(2 * i, 2 * i + 2)};`;
        this.#blocks.set(hash, before);
      });
    }
  }

  leadingTokens(tokens: readonly number[]): number {
    const prefixes = new Set(this.#blocks.values());
    let prefix = "";
    let run = 0;
    for (; run + 2 <= tokens.length; run += 2) {
      prefix += `${tokens.slice(run, run + 2)};`;
      if (!prefixes.has(prefix)) break;
    }
    return run;
  }
}

const hash = fc.integer({ min: 1, max: 8 }).map(BigInt);
const token = fc.integer({ min: 0, max: 1 });
const event: fc.Arbitrary<KvEvent> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .tuple(
        fc.array(hash, { minLength: 1, maxLength: 3 }),
        fc.option(hash, { nil: undefined }),
        fc.array(token, { minLength: 6, maxLength: 6 }),
        fc.nat(3),
      )
      .map(([hashes, parent, tokens, plain]) =>
        stored(
          hashes,
          parent,
          tokens.slice(0, 2 * hashes.length),
          Math.min(hashes.length, plain + 1),
        ),
      ),
  },
  {
    weight: 3,
    arbitrary: fc
      .array(hash, { maxLength: 2 })
      .map((hashes): KvEvent => ({ type: "removed", hashes })),
  },
  { weight: 1, arbitrary: fc.constant<KvEvent>({ type: "cleared" }) },
);

it("after any events it claims what the oracle has, and no token more or less", () => {
  fc.assert(
    fc.property(
      fc.array(event, { maxLength: 40 }),
      fc.array(token, { minLength: 8, maxLength: 8 }),
      (events, tokens) => {
        const cache = new ReportedPrefixCache();
        const oracle = new Oracle();
        for (const one of events) {
          expect(cache.apply(one)).toBeUndefined();
          oracle.apply(one);
          expect(cache.leadingTokens(keys(...tokens))).toBe(oracle.leadingTokens(tokens));
        }
      },
    ),
    { numRuns: 3_000 },
  );
});

describe("blocks that cannot be asked for by their tokens", () => {
  test("of an unknown beginning", () => {
    const cache = new ReportedPrefixCache();
    cache.apply(stored([2n], 1n, [3, 4]));
    expect(cache.leadingTokens(keys(3, 4))).toBe(0);
    expect(cache.size).toBe(0);
  });

  test("of a LoRA, an image or a salt, and all that comes after them", () => {
    const cache = new ReportedPrefixCache();
    cache.apply(stored([1n, 2n, 3n], undefined, [1, 2, 3, 4, 5, 6], 1));
    cache.apply(stored([4n], 3n, [7, 8]));
    expect(cache.leadingTokens(keys(1, 2, 3, 4, 5, 6, 7, 8))).toBe(2);
  });
});

test("a block with a hole before it does not count, and counts again when that is filled", () => {
  const cache = new ReportedPrefixCache();
  const prompt = keys(1, 2, 3, 4, 5, 6, 7, 8);
  cache.apply(stored([1n, 2n, 3n, 4n], undefined, [1, 2, 3, 4, 5, 6, 7, 8]));
  cache.apply({ type: "removed", hashes: [2n] });
  expect(cache.leadingTokens(prompt)).toBe(2);
  cache.apply(stored([9n], 1n, [3, 4]));
  expect(cache.leadingTokens(prompt)).toBe(8);
});

test("an engine that has more than is kept, or blocks of several sizes, cannot be followed", () => {
  const small = new ReportedPrefixCache(2);
  expect(small.apply(stored([1n, 2n, 3n], undefined, [1, 2, 3, 4, 5, 6]))).toContain("more than 2");
  const cache = new ReportedPrefixCache();
  cache.apply(stored([1n], undefined, [1, 2]));
  const other = { ...stored([2n], 1n, [1, 2, 3]), blockTokens: 3 } as KvEvent;
  expect(cache.apply(other)).toContain("several sizes");
});

test("tokens above 2^31 are the same however they are written", () => {
  const cache = new ReportedPrefixCache();
  cache.apply(stored([1n], undefined, [0xffff_fff0, 0x8000_0001]));
  expect(cache.leadingTokens(keys(0xffff_fff0, 0x8000_0001))).toBe(2);
});
