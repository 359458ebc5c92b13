/** Static and dynamic buckets: which engines belong to a prompt of this length. */
import { describe, expect, it } from "vitest";
import { example } from "./worked-example.ts";

const idle = (count: number) => Array.from({ length: count }, () => []);

describe("static_bucket", () => {
  const policy = { name: "static_bucket", bounds: [1_000, 12_000] } as const;

  it.each([
    [0, [0, 1]],
    [999, [0, 1]],
    [1_000, [2, 3]],
    [11_999, [2, 3]],
    [12_000, [4, 5]],
    // A first digit of 1 with six digits or more: the original's pattern took these for short.
    [150_000, [4, 5]],
    [1_500_000, [4, 5]],
  ])("sends %d bytes to engines %j", (bytes, engines) => {
    expect(new Set(example(policy, idle(6)).picks(40, { bytes }))).toEqual(new Set(engines));
  });

  it("takes the fewest bytes in flight within a bucket", () => {
    expect(example(policy, [[5], [9], [80], [70], [], []]).pick({ bytes: 5_000 })).toBe(3);
  });

  it("goes to the nearest bucket where the own one has no fit engine, or no engine at all", () => {
    expect(example(policy, idle(6)).pick({ bytes: 50_000 }, [0, 1, 3])).toBe(3);
    expect(example(policy, idle(2)).pick({ bytes: 5_000 })).toBeLessThan(2);
  });

  it("splits at 12,000 bytes unless set otherwise", () => {
    const { pick } = example({ name: "static_bucket" }, idle(2));
    expect([pick({ bytes: 11_999 }), pick({ bytes: 12_000 })]).toEqual([0, 1]);
  });
});

describe("dynamic_bucket", () => {
  const policy = { name: "dynamic_bucket", buckets: 3, alpha: 1 } as const;

  it("bounds buckets so that each has a third of the bytes in flight", () => {
    const { place, pick } = example(policy, idle(3));
    for (const bytes of [100, 200, 300, 400, 500]) place({ bytes }, 0);
    // 1,500 with this one of 0: thirds end at 500 and 1,000.
    expect(pick({ bytes: 0 })).toBe(0);
    // 1,800: they end at 600 and 1,200. Up to 300 are 100 + 200 + 300 and this one.
    expect(pick({ bytes: 300 })).toBe(1);
    // 1,950: they end at 650 and 1,300. Up to 450 are 1,000 + 450.
    expect(pick({ bytes: 450 })).toBe(2);
  });

  it("sends a lone prompt to the last bucket", () => {
    expect(example(policy, idle(3)).pick({ bytes: 10 })).toBe(2);
  });

  it("forgets prompts that ended", () => {
    const { place, pick } = example(policy, idle(3));
    const leases = [5_000, 6_000].map((bytes) => place({ bytes }, 0).lease);
    expect(pick({ bytes: 100 })).toBe(0);
    for (const lease of leases) lease.close();
    expect(pick({ bytes: 100 })).toBe(2);
  });

  it("smooths the total over requests", () => {
    const { place, pick } = example({ ...policy, alpha: 0.1, buckets: 2 }, idle(2));
    place({ bytes: 10_000 }, 0);
    // A tenth of 10,600: its half lies below this one's 600. The tenths add up.
    expect(pick({ bytes: 600 })).toBe(1);
    for (let n = 0; n < 10; n += 1) pick({ bytes: 600 });
    expect(pick({ bytes: 600 })).toBe(0);
  });
});
