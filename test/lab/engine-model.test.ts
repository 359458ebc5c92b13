/** The engine model is held against closed forms: a simulator that is wrong proves nothing. */
import { expect, it } from "vitest";
import { DecodeEngine } from "../../src/lab/model/decode-engine.ts";
import { PrefillEngine } from "../../src/lab/model/prefill-engine.ts";
import { Timeline } from "../../src/lab/model/timeline.ts";
import { dense70b, prefillMs } from "../../src/lab/profile.ts";
import { seededRandom } from "../../src/simulated-engine/model/prng.ts";

const tokens = 1000;
const job = (arrivalMs: number, blocks: number[] = []) => ({
  arrivalMs,
  inputTokens: tokens,
  outputTokens: 1,
  blocks,
});

it("prefill waits as an M/D/1 queue does", () => {
  for (const load of [0.5, 0.8]) {
    const timeline = new Timeline();
    const engine = new PrefillEngine(timeline, dense70b, 100, () => 1);
    const serviceMs = prefillMs(dense70b, tokens, tokens);
    const random = seededRandom(3);
    const waits: number[] = [];
    let atMs = 0;
    for (let i = 0; i < 60_000; i += 1) {
      atMs += (-Math.log(1 - random()) * serviceMs) / load;
      const arrivedMs = atMs;
      timeline.at(atMs, () => {
        const done = () => waits.push(timeline.nowMs - arrivedMs - serviceMs);
        engine.submit({ request: job(arrivedMs), done });
      });
    }
    timeline.run();
    const mean = waits.reduce((sum, wait) => sum + wait, 0) / waits.length;
    // Pollaczek and Khinchine, for a constant service time.
    const expected = (load * serviceMs) / (2 * (1 - load));
    expect(Math.abs(mean / expected - 1), `at load ${load}`).toBeLessThan(0.05);
  }
});

it("a prefill is spared the leading blocks that its engine computed before, and at least one token is computed", () => {
  const timeline = new Timeline();
  const engine = new PrefillEngine(timeline, dense70b, 100, () => 1);
  const cached: number[] = [];
  const send = (blocks: number[]) =>
    engine.submit({ request: job(0, blocks), done: (hit) => void cached.push(hit) });
  for (const blocks of [
    [1, 2],
    [1, 2],
    [1, 3],
    [4, 2],
  ])
    send(blocks);
  timeline.run();
  expect(cached).toEqual([0, tokens - 1, 512, 0]);
});

it("a cache forgets what was used longest ago, the ends of prompts before their beginnings", () => {
  const timeline = new Timeline();
  const engine = new PrefillEngine(timeline, dense70b, 3, () => 1);
  const cached: number[] = [];
  const send = (blocks: number[]) =>
    engine.submit({ request: job(0, blocks), done: (hit) => void cached.push(hit) });
  for (const blocks of [
    [1, 2],
    [3, 4],
    [1, 2],
    [3, 4],
  ])
    send(blocks);
  timeline.run();
  // Of the first prompt block 2 had to go; then 4 had, for block 2 to come back.
  expect(cached).toEqual([0, 0, 512, 512]);
});

it("an engine that batches takes short prompts together, and never more than it has room for", () => {
  const timeline = new Timeline();
  const profile = { ...dense70b, prefillBatchTokens: 2500 };
  const engine = new PrefillEngine(timeline, profile, 100, () => 1);
  const endedMs: number[] = [];
  for (let i = 0; i < 4; i += 1) {
    engine.submit({ request: job(0), done: () => void endedMs.push(timeline.nowMs) });
  }
  timeline.run();
  const one = prefillMs(profile, tokens, tokens);
  const two = 2 * one - profile.prefillBaseMs;
  // The first found the engine idle and went alone.
  expect(endedMs).toEqual([one, one + two, one + two, 2 * one + two]);
});

it("decode's steps taken at once last as long as steps taken one by one", () => {
  const timeline = new Timeline();
  const engine = new DecodeEngine(timeline, dense70b);
  const first: number[] = [];
  const done: number[] = [];
  const lengths = [
    [700, 5],
    [9000, 40],
    [50, 17],
  ] as const;
  for (const [inputTokens, outputTokens] of lengths) {
    engine.submit({
      inputTokens,
      outputTokens,
      firstToken: (atMs) => void first.push(atMs),
      progressed() {},
      done: (atMs) => void done.push(atMs),
    });
  }
  timeline.run();
  let nowMs = 0;
  const expected: number[] = [];
  // Continuous batching, step by step: the first came to an idle engine and ran one step alone.
  const running: { resident: number; left: number }[] = [{ resident: 700, left: 5 }];
  for (let step = 0; running.length > 0; step += 1) {
    const resident = running.reduce((sum, one) => sum + one.resident, 0);
    nowMs +=
      dense70b.stepBaseMs +
      dense70b.stepRequestMs * running.length +
      dense70b.stepKvTokenMs * resident;
    for (const one of running) {
      one.resident += 1;
      one.left -= 1;
      if (one.left === 0) expected.push(nowMs);
    }
    running.splice(0, running.length, ...running.filter(({ left }) => left > 0));
    if (step === 0) running.push({ resident: 9000, left: 40 }, { resident: 50, left: 17 });
  }
  expect(done.length).toBe(3);
  done.forEach((atMs, i) => void expect(atMs).toBeCloseTo(expected[i]!, 6));
  expect(first).toHaveLength(3);
});

it("decode admits no more than its KV room holds, and one at least", () => {
  const timeline = new Timeline();
  const engine = new DecodeEngine(timeline, { ...dense70b, kvTokens: 1000 });
  const events: string[] = [];
  const send = (name: string, inputTokens: number) =>
    engine.submit({
      inputTokens,
      outputTokens: 10,
      firstToken: () => void events.push(`${name} begins`),
      progressed() {},
      done: () => void events.push(`${name} ends`),
    });
  send("a", 600);
  send("b", 600);
  send("too large", 5000);
  timeline.run();
  expect(events).toEqual([
    "a begins",
    "a ends",
    "b begins",
    "b ends",
    "too large begins",
    "too large ends",
  ]);
});
