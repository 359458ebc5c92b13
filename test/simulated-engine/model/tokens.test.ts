import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PrefixCache } from "../../../src/simulated-engine/kv/prefix-cache.ts";
import {
  type LengthLimits,
  PlannedOutput,
} from "../../../src/simulated-engine/model/planned-output.ts";
import { promptsOf } from "../../../src/simulated-engine/model/prompts.ts";
import {
  naturalTokens,
  tokenIdsOf,
  tokensOfBytes,
} from "../../../src/simulated-engine/model/tokens.ts";

const wishes: LengthLimits = {
  maxTokens: undefined,
  minTokens: 0,
  stop: [],
  includeStop: false,
  contextTokens: 1_000_000,
  eosAfterTokens: 0,
};
const plan = (changes: Partial<LengthLimits> = {}, seed = 42, choice = 0): PlannedOutput =>
  new PlannedOutput(seed, choice, { ...wishes, ...changes });

describe("output", () => {
  it("depends on the seed and the choice alone, whatever its length", () => {
    const long = plan({ maxTokens: 50 }).text();
    expect(plan({ maxTokens: 50 }).text()).toBe(long);
    expect(long.startsWith(plan({ maxTokens: 20 }).text())).toBe(true);
    expect(plan({ maxTokens: 50 }, 43).text()).not.toBe(long);
    expect(plan({ maxTokens: 50 }, 42, 1).text()).not.toBe(long);
  });

  it("has as many tokens as asked for, or its natural length", () => {
    expect(plan({ maxTokens: 300 })).toMatchObject({ tokenCount: 300, finishReason: "length" });
    expect(plan()).toMatchObject({ tokenCount: naturalTokens(42, 0), finishReason: "stop" });
    expect(plan({ minTokens: 200 })).toMatchObject({ tokenCount: 200, finishReason: "stop" });
    expect(plan({ contextTokens: 3 })).toMatchObject({ tokenCount: 3, finishReason: "length" });
  });

  it("ends at the token that ends the text, unless that is forbidden", () => {
    const eos = { eosAfterTokens: 1, maxTokens: 1 };
    expect(plan(eos)).toMatchObject({ tokenCount: 1, finishReason: "stop" });
    expect(plan({ ...eos, minTokens: 1 })).toMatchObject({ tokenCount: 1, finishReason: "length" });
    expect(plan({ eosAfterTokens: 9 })).toMatchObject({ tokenCount: 9, finishReason: "stop" });
    expect(plan({ eosAfterTokens: 9, maxTokens: 3 })).toMatchObject({ finishReason: "length" });
  });

  it("is cut where a stop string begins, also when one spans tokens", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 0xffffffff }),
        fc.integer({ min: 0, max: 200 }),
        fc.integer({ min: 1, max: 30 }),
        fc.integer({ min: 0, max: 20 }),
        fc.boolean(),
        (seed, start, length, minTokens, includeStop) => {
          const whole = plan({ maxTokens: 60 }, seed).text();
          const stop = whole.slice(start % whole.length, (start % whole.length) + length);
          const cut = plan({ maxTokens: 60, stop: [stop], minTokens, includeStop }, seed);
          const text = cut.text();
          expect(whole.startsWith(text)).toBe(true);
          const deltas = Array.from({ length: cut.tokenCount }, (_, at) => cut.delta(at));
          expect(deltas.join("")).toBe(text);
          if (minTokens === 0) {
            const end = whole.indexOf(stop) + (includeStop ? stop.length : 0);
            expect(text).toBe(whole.slice(0, end));
            expect(cut.stopReason).toBe(stop);
          }
          if (cut.finishReason === "stop") expect(cut.tokenCount).toBeGreaterThan(minTokens);
        },
      ),
    );
  });
});

describe("tokens of a prompt", () => {
  it("are as many as counted", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        expect(tokenIdsOf(Buffer.from(text))).toHaveLength(tokensOfBytes(Buffer.byteLength(text)));
      }),
    );
  });

  it("as ids are the same prompt as the text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", minLength: 1 }), (text) => {
        fc.pre(!text.includes("\0"));
        expect(promptsOf(tokenIdsOf(Buffer.from(text)))).toMatchObject(promptsOf(text));
      }),
    );
  });
});

describe("prefix cache", () => {
  const prompt = (text: string): Buffer => Buffer.from(text.repeat(64));

  it("knows the leading blocks that it has seen, and none behind the first difference", () => {
    const cache = new PrefixCache(100);
    expect(cache.visit(prompt("abcd"))).toBe(0);
    expect(cache.visit(prompt("abcd"))).toBe(64);
    const changed = prompt("abcd");
    changed[70] = 0;
    expect(cache.visit(changed)).toBe(16);
    expect(cache.visit(prompt("abcd").subarray(0, 130))).toBe(32);
  });

  it("is bounded", () => {
    const cache = new PrefixCache(4);
    cache.visit(prompt("abcd"));
    cache.visit(prompt("efgh"));
    expect(cache.visit(prompt("abcd"))).toBe(0);
  });
});
