/** A key stays at its engine, at the one that nginx would give it; keys move only where they must. */
import { describe, expect, it } from "vitest";
import { hash } from "../../src/policies/hash.ts";
import { crc32, crc32ByTable } from "../../src/policies/shared/crc32.ts";
import { among, countPicks, poolOf, request } from "./pool-view.ts";

function picker(weights: readonly number[], consistent: boolean, addresses?: readonly string[]) {
  const pool = poolOf(weights, addresses);
  const policy = hash.create({ pool, random: () => 0 }, { key: "$uri", consistent });
  return (key: string, fit?: number[]) => policy.pick(among(pool, fit), request({ key }));
}

const keys = Array.from({ length: 2_000 }, (_, n) => `session-${n * 7919}`);

it("has the CRC-32 of the standard", () => {
  for (const of of [crc32, crc32ByTable]) {
    expect(of(Buffer.from("123456789"))).toBe(0xcbf43926);
    expect(of(new Uint8Array(0))).toBe(0);
    expect(of(Buffer.alloc(4, 0xff))).toBe(0xffffffff);
  }
});

/** ngx_http_upstream_hash_module.c: the engines that are asked in turn, by equal weights. */
function sequence(key: string, engines: number): number[] {
  let sum = 0;
  return Array.from({ length: 21 }, (_, rehash) => {
    sum += (crc32(Buffer.from(rehash === 0 ? key : `${rehash}${key}`)) >>> 16) & 0x7fff;
    return sum % engines;
  });
}

describe("plain", () => {
  it("takes the engine of nginx's formula, and rehashes with a prefix when it is unfit", () => {
    const pick = picker([1, 1, 1, 1, 1], false);
    for (const key of keys.slice(0, 300)) {
      expect(pick(key)).toBe(sequence(key, 5)[0]);
      expect(pick(key, [1, 3])).toBe(sequence(key, 5).find((engine) => engine % 2 === 1));
    }
  });

  it("sends on in turn after 21 hashes without luck", () => {
    const pick = picker(new Array<number>(100).fill(1), false);
    const unlucky = keys.find((key) => !sequence(key, 100).some((engine) => engine < 2))!;
    expect([1, 2, 3, 4].map(() => pick(unlucky, [0, 1]))).toEqual([0, 1, 0, 1]);
  });
});

describe("consistent", () => {
  it("moves only the keys of an engine that leaves the configuration", () => {
    const addresses = ["a:80", "b:80", "c:80", "d:80", "e:80"];
    const all = picker([1, 1, 1, 1, 1], true, addresses);
    const fewer = picker([1, 1, 1, 1], true, addresses.toSpliced(2, 1));
    let moved = 0;
    for (const key of keys) {
      const before = addresses[all(key)]!;
      const after = addresses.toSpliced(2, 1)[fewer(key)]!;
      if (before === "c:80") moved += 1;
      else expect(after).toBe(before);
    }
    expect(moved).toBeGreaterThan(keys.length / 10);
    expect(moved).toBeLessThan(keys.length / 3);
  });

  it("moves only the keys of an engine that is unfit, and moves them to where they go without it", () => {
    const addresses = ["a:80", "b:80", "c:80"];
    const all = picker([1, 1, 1], true, addresses);
    const fewer = picker([1, 1], true, ["a:80", "c:80"]);
    for (const key of keys.slice(0, 500)) {
      if (all(key) !== 1) expect(all(key, [0, 2])).toBe(all(key));
      expect(all(key, [0, 2])).toBe([0, 2][fewer(key)]);
    }
  });

  it("does not depend on the order of the engines", () => {
    const one = picker([1, 2, 3], true, ["a:1", "b:2", "c:3"]);
    const other = picker([3, 1, 2], true, ["c:3", "a:1", "b:2"]);
    for (const key of keys.slice(0, 500)) {
      expect(["c:3", "a:1", "b:2"][other(key)]).toBe(["a:1", "b:2", "c:3"][one(key)]);
    }
  });
});

it.each([false, true])("spreads requests without a key instead of flooding one engine", (ring) => {
  const pick = picker([1, 1, 1], ring);
  const counts = countPicks(
    3,
    Array.from({ length: 30 }, () => pick("")),
  );
  expect(counts).toEqual([10, 10, 10]);
});
