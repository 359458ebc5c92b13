/** greedy_timeout: engines are available when their prompts are expected to be done, not sooner, not for ever later. */
import { expect, it } from "vitest";
import { example } from "./worked-example.ts";

/** 10 ms and the square of the kilobytes. */
const squares = { name: "greedy_timeout", warmup: 10, exp: 2 } as const;

it("adds warm-up and the power of the length to what the engine has to do", () => {
  const { pool, clock, place } = example(squares, [[], []]);
  const first = place({ bytes: 5_000 });
  const slot = pool.slots[first.engine]!;
  expect(pool.board.availableAt(slot)).toBe(clock.nowMs + 10 + 25);
  place({ bytes: 2_000 }, first.engine);
  expect(pool.board.availableAt(slot)).toBe(clock.nowMs + 35 + 14);
});

it("takes long prompts for more than many short ones of as many bytes", () => {
  const { place } = example(squares, [[], []]);
  const long = place({ bytes: 10_000 }).engine;
  // 110 ms there: five prompts of 2,000 bytes take 70 ms.
  for (let n = 0; n < 5; n += 1) expect(place({ bytes: 2_000 }).engine).toBe(1 - long);
});

it("lets time pass: an engine whose prompts are expected to be done is available now", () => {
  const { pool, clock, place, picks } = example(squares, [[], []]);
  place({ bytes: 10_000 }, 0);
  place({ bytes: 1_000 }, 1);
  clock.nowMs += 20;
  expect(new Set(picks(20))).toEqual(new Set([1]));
  clock.nowMs += 1_000;
  expect(new Set(picks(50))).toEqual(new Set([0, 1]));
  // The next begins now, not when the last was expected to end.
  place({ bytes: 1_000 }, 0);
  expect(pool.board.availableAt(pool.slots[0]!)).toBe(clock.nowMs + 11);
});

it("does not wait for what ended early or was aborted", () => {
  const { clock, pool, place, picks } = example(squares, [[], []]);
  place({ bytes: 1_000_000 }, 0).lease.close();
  place({ bytes: 1_000 }, 1);
  expect(new Set(picks(20))).toEqual(new Set([0]));
  place({ bytes: 1_000 }, 0);
  expect(pool.board.availableAt(pool.slots[0]!)).toBe(clock.nowMs + 11);
});

it("has the documented defaults, under which 16,000 tokens take about 1.8 s", () => {
  const { pool, clock, place } = example({ name: "greedy_timeout" }, [[]]);
  place({ bytes: 64_000 });
  const tookMs = pool.board.availableAt(pool.slots[0]!) - clock.nowMs;
  expect(tookMs).toBeCloseTo(5 + 64 ** 1.8, 6);
  expect(Math.round(tookMs)).toBe(1_788);
});
