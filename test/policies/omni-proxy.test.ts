/** omni_proxy: the longest cached prefix where there is room, else fewest tokens; or the batch that ends first. */
import { describe, expect, it } from "vitest";
import { BatchTimes } from "../../src/estimates/batch-times.ts";
import { example } from "./worked-example.ts";

const name = "omni_proxy";

describe("default, prefill", () => {
  it("takes the longest prefix over fewer tokens", () => {
    const { place, pick } = example({ name }, [[], [], []]);
    place({ blocks: [1, 2, 3], bytes: 8_000 }, 1);
    place({ blocks: [1], bytes: 40 }, 2);
    expect(pick({ blocks: [1, 2, 4] })).toBe(1);
  });

  it("passes over a holder without room, by tokens or by requests", () => {
    for (const bound of [{ maxBatchNumToken: 1_999 }, { maxNumSeqs: 1 }]) {
      const { place, pick } = example({ name, ...bound }, [[], [], []]);
      place({ blocks: [1, 2, 3], bytes: 8_000 }, 1);
      place({ blocks: [7], bytes: 40 }, 2);
      expect(pick({ blocks: [1, 2, 4] })).toBe(0);
    }
  });

  it("takes the lighter of two that hold as much", () => {
    const { place, pick } = example({ name }, [[], [], []]);
    place({ blocks: [1, 2], bytes: 800 }, 1);
    place({ blocks: [1, 2], bytes: 400 }, 2);
    expect(pick({ blocks: [1, 2, 3] })).toBe(2);
  });

  it("takes the fewest tokens where nobody has any of it, in turn among equals", () => {
    const { place, pick } = example({ name }, [[500], [400], [600]]);
    expect(pick({ blocks: [5] })).toBe(1);
    const idle = example({ name }, [[], [], []]);
    expect([1, 2, 3, 4].map(() => idle.pick())).toEqual([0, 1, 2, 0]);
    place({ bytes: 300 }, 1);
    expect(pick()).toBe(0);
  });

  it("is not kept back by bounds: where none has room, fewest tokens decide", () => {
    const full = example({ name, maxNumSeqs: 1 }, [
      [5, 5],
      [9, 9],
    ]);
    expect(full.pick()).toBe(0);
  });
});

describe("decode", () => {
  it("takes the fewest tokens of those with room", () => {
    const bounded = { name, role: "decode", maxNumSeqs: 2 } as const;
    expect(example(bounded, [[1, 1], [900], [800]]).pick()).toBe(2);
  });

  it("draws where none has room", () => {
    const full = example({ name, role: "decode", maxNumSeqs: 1 }, [[1], [900]]);
    expect(new Set(full.picks(50))).toEqual(new Set([0, 1]));
  });
});

describe("times of batches", () => {
  it("are guessed until something is known", () => {
    const times = new BatchTimes();
    expect([0, 1, 2, 3, 4, 6].map((batch) => times.estimateMs(batch))).toEqual([
      0, 220, 280, 330, 380, 480,
    ]);
    expect(times.estimateMs(100_000)).toBe(30_000);
  });

  it("are means of what was seen, less the responses' way; others step from the nearest", () => {
    const times = new BatchTimes();
    times.observe(4, 500);
    times.observe(4, 540);
    // 520 - 4 × 30; below: 50 less for each, at least 50; above: 50 more for each.
    expect([3, 4, 5, 6].map((batch) => times.estimateMs(batch))).toEqual([350, 400, 450, 500]);
    times.observe(6, 100);
    // Not more than 6 × 30: as it is.
    expect([5, 6, 7].map((batch) => times.estimateMs(batch))).toEqual([450, 100, 150]);
    times.observe(1, 60);
    expect([1, 2].map((batch) => times.estimateMs(batch))).toEqual([30, 80]);
    expect(times.estimateMs(70)).toBe(150 + 50 * 63);
  });

  it("follow engines that became slower", () => {
    const times = new BatchTimes();
    for (let n = 0; n < 1_000; n += 1) times.observe(1, 100);
    for (let n = 0; n < 500; n += 1) times.observe(1, 1_000);
    expect(times.estimateMs(1)).toBeGreaterThan(900);
  });
});

describe("earliest_batch", () => {
  const earliest = { name, algo: "earliest_batch" } as const;

  it("takes the engine whose batch ends first", () => {
    const { clock, place, pick } = example(earliest, [[], []]);
    place({}, 0);
    // 190 remain of 220, then 220; or 220 at once.
    expect(pick()).toBe(1);
    clock.nowMs += 100;
    place({}, 1);
    // Both run one: 90 and 190 remain.
    expect(pick()).toBe(0);
    place({}, 0);
    // Engine 0: 90 + (280 - 220) × 1 + 280 = 430. Engine 1: 190 + 220.
    expect(pick()).toBe(1);
  });

  it("learns from the responses how long an engine's batches take, and where they end", () => {
    const { clock, place, response, pick } = example(earliest, [[], []]);
    const first = place({}, 0);
    for (let n = 0; n < 3; n += 1) place({}, 0);
    clock.nowMs += 1_030;
    response(0);
    first.lease.close();
    // A batch of one took 1,030 ms, so 1,000; the three that were queued run now, and take 1,100.
    place({}, 1);
    // Engine 0: 1,100 - 30 + 1,000. Engine 1: 1,000 - 30 + 1,000.
    expect(pick()).toBe(1);
    clock.nowMs += 500;
    place({}, 1);
    // Engine 0: 570 + 1,000. Engine 1: 470 + 50 + 1,050.
    expect([0, 1]).toContain(pick());
    place({}, 1);
    expect(pick()).toBe(0);
  });

  it("takes responses that come together for one batch", () => {
    const { clock, place, response, pick } = example(earliest, [[], []]);
    const leases = [0, 1, 2].map(() => place({}, 0).lease);
    clock.nowMs += 250;
    response(0);
    leases[0]!.close();
    clock.nowMs += 300;
    for (const lease of leases.slice(1)) {
      response(0);
      lease.close();
      clock.nowMs += 5;
    }
    // Both idle again: no rest of a batch is reckoned that is over.
    expect(pick()).toBe(0);
  });

  it("goes by prefix and tokens where no engine has room", () => {
    const { place, pick } = example({ ...earliest, maxNumSeqs: 1 }, [[], []]);
    place({ bytes: 400 }, 0);
    place({ bytes: 40 }, 1);
    expect(pick()).toBe(1);
  });

  it("is not stuck behind requests that were aborted", () => {
    const { place, pick } = example(earliest, [[], []]);
    const leases = Array.from({ length: 10 }, () => place({}, 0).lease);
    for (const lease of leases) lease.close();
    expect(pick()).toBe(0);
  });
});
