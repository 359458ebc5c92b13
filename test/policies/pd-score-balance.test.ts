/** pd_score_balance: outstanding bytes for prefill; for decode, a look ahead to what is in prefill. */
import { describe, expect, it } from "vitest";
import type { PoolView } from "../../src/policies/shared/policy.ts";
import { createScoreboardMemory, Scoreboard } from "../../src/scoreboard/scoreboard.ts";
import { poolOf } from "./pool-view.ts";
import { type Example, example } from "./worked-example.ts";

const name = "pd_score_balance";

describe("prefill", () => {
  it("takes the fewest bytes in flight, not the fewest requests", () => {
    expect(example({ name }, [[10, 10, 10], [40]]).pick()).toBe(0);
  });

  it("counts the prompt itself, which an engine of more weight bears better", () => {
    // (0 + 90) / 1 against (60 + 90) / 2.
    expect(example({ name }, [[], [60]], [1, 2]).pick({ bytes: 90 })).toBe(1);
  });

  it("of 2603 keeps to engines with room, and goes by requests where there are none", () => {
    const bounded = { name, maxNumSeqs: 2 } as const;
    expect(example(bounded, [[1, 1], [90]]).pick()).toBe(1);
    expect(
      example(bounded, [
        [1, 1, 1],
        [90, 90],
      ]).pick(),
    ).toBe(1);
  });
});

/** A prefill pool of one engine and a decode pool on one board, as one worker sees them. */
function pair(
  decodeOptions: Readonly<Record<string, unknown>>,
  load: readonly (readonly number[])[],
): { readonly prefill: Example; readonly decode: Example } {
  const size = load.length;
  const board = new Scoreboard(createScoreboardMemory({ workers: 1, slots: size + 1 }), 0);
  const prefillPool: PoolView = { ...poolOf([1]), slots: Int32Array.of(size), board };
  const decodePool: PoolView = {
    ...poolOf(load.map(() => 1)),
    slots: Int32Array.from(load, (_, i) => i),
    board,
  };
  return {
    prefill: example({ name, role: "prefill" }, [[]], [1], prefillPool),
    decode: example({ name, role: "decode", ...decodeOptions }, load, undefined, decodePool),
  };
}

describe("decode", () => {
  it("is least bytes where nothing is in prefill", () => {
    expect(pair({}, [[10, 10], [30], [25]]).decode.pick({ bytes: 5 })).toBe(0);
  });

  it("leaves the emptiest engine to a longer prompt that is still in prefill", () => {
    const { prefill, decode } = pair({}, [[100], [120], [300]]);
    expect(decode.pick({ bytes: 50 })).toBe(0);
    // 500 is dealt to engine 0 first: of 600, 120 and 300 the second is lightest.
    const { lease } = prefill.place({ bytes: 500 });
    expect(decode.pick({ bytes: 50 })).toBe(1);
    // A shorter one is dealt after this one.
    expect(decode.pick({ bytes: 501 })).toBe(0);
    // It is gone from prefill, aborted or done: then it does not count.
    lease.close();
    expect(decode.pick({ bytes: 50 })).toBe(0);
  });

  it("deals several in the order of their length, each to the lightest", () => {
    const { prefill, decode } = pair({}, [[0], [0], [70]]);
    for (const bytes of [60, 90, 80]) prefill.place({ bytes });
    // 90 to one of the empty, 80 to the other, 60 to the third (130): 90, 80, 130, or with 60 on 70 the same.
    const first = decode.pick({ bytes: 61 });
    expect(first).toBe(2);
    // After 60: 90 and 80 in some order, 130. The 80 is lightest.
    const light = decode.pick({ bytes: 10 });
    expect([0, 1]).toContain(light);
  });

  it("does not exceed the limit of 2508, in thought or really", () => {
    expect(pair({ decodeReqLimit: 1 }, [[1], [], [1]]).decode.pick({ bytes: 5 })).toBe(1);
    const { prefill, decode } = pair({ decodeReqLimit: 2 }, [[1], [900, 900], [50]]);
    // Engine 0 has room for this one alone; the longer takes it, and engine 2 is left.
    prefill.place({ bytes: 500 });
    expect(decode.pick({ bytes: 5 })).toBe(2);
  });

  it("goes somewhere where all are at their limit", () => {
    expect(
      pair({ decodeReqLimit: 1 }, [
        [1, 1, 1],
        [5, 5],
      ]).decode.pick(),
    ).toBe(1);
  });

  it("of 2603 looks ahead only while loads are even and there is room", () => {
    const bounded = { maxNumSeqs: 4 };
    // Even: bytes decide. Uneven by two: requests do. Full: requests do.
    expect(pair(bounded, [[900], [1, 1]]).decode.pick()).toBe(1);
    expect(pair(bounded, [[900], [1, 1, 1]]).decode.pick()).toBe(0);
    const full = [
      [9, 9, 9, 9],
      [1, 1, 1, 1, 1],
    ];
    expect(pair(bounded, full).decode.pick()).toBe(0);
  });

  it("of 2603 looks at the oldest prompts only, two for each engine", () => {
    const { prefill, decode } = pair({ maxNumSeqs: 32 }, [[100], [150]]);
    for (let n = 0; n < 4; n += 1) prefill.place({ bytes: 1 });
    // The fifth is not seen: with it, engine 1 would be lighter.
    prefill.place({ bytes: 500 });
    expect(decode.pick({ bytes: 50 })).toBe(0);
    const all = pair({}, [[100], [150]]);
    for (let n = 0; n < 4; n += 1) all.prefill.place({ bytes: 1 });
    all.prefill.place({ bytes: 500 });
    expect(all.decode.pick({ bytes: 50 })).toBe(1);
  });

  it("sees the prompts that other workers have in prefill, and not those of a dead one", () => {
    const memory = createScoreboardMemory({ workers: 2, slots: 3 });
    const [own, other] = [0, 1].map((worker) => new Scoreboard(memory, worker));
    const poolWith = (board: Scoreboard, slots: readonly number[]): PoolView => ({
      ...poolOf(slots.map(() => 1)),
      slots: Int32Array.from(slots),
      board,
    });
    const there = example({ name }, [[]], [1], poolWith(other!, [2]));
    const here = example(
      { name, role: "decode" },
      [[100], [120]],
      undefined,
      poolWith(own!, [0, 1]),
    );
    there.place({ bytes: 500 });
    expect(here.pick({ bytes: 50 })).toBe(1);
    own!.closeRow(1);
    expect(here.pick({ bytes: 50 })).toBe(0);
  });
});
