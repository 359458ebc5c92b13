/** Prompts of several models wait in one queue: each goes to an engine that has its model, and none for ever. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { PrefillQueue } from "../../../../src/queue/orderings/shortest-prefill/prefill-queue.ts";
import type { QueuedPrompt } from "../../../../src/queue/orderings/shortest-prefill/queued-prompt.ts";
import { engineView, queuedPrompt } from "../../fake/queue.ts";

const options = { agingFactor: 0.1, duplicateWeight: 1, blocksMax: 1 << 16, fairnessMs: 2_000 };
/** Engines 0 and 1 have x, 1 and 2 have y, 3 has z; nobody lists any other. */
const holders: Readonly<Record<string, readonly number[]>> = {
  x: [1, 1, 0, 0],
  y: [0, 1, 1, 0],
  z: [0, 0, 0, 1],
};

const prompt = (model: string, tokens: number, blocks: number[] = []) =>
  queuedPrompt(tokens, { model, blocks, explains: true });

function queueOf(isAvailable: (engine: number) => boolean = () => true) {
  const engines = engineView(4, { isAvailable, holders: (model) => holders[model] });
  return new PrefillQueue<void>(options, engines, () => true);
}

const models = ["x", "y", "z", "other", ""];
const arrival = fc.record({
  model: fc.constantFrom(...models),
  tokens: fc.integer({ min: 1, max: 20_000 }),
  block: fc.integer({ min: 1, max: 3 }),
  gapMs: fc.nat(500),
});

it("whatever comes in whatever order, each prompt goes once, to an engine that has its model", () => {
  fc.assert(
    fc.property(fc.array(arrival, { minLength: 1, maxLength: 40 }), (arrivals) => {
      const queue = queueOf();
      let nowMs = 0;
      const running: QueuedPrompt<void>[] = [];
      const sent: QueuedPrompt<void>[] = [];
      const release = () => {
        const released = queue.release(nowMs);
        running.push(...released);
        sent.push(...released);
      };
      for (const { model, tokens, block, gapMs } of arrivals) {
        nowMs += gapMs;
        queue.add(prompt(model, tokens, [block]), nowMs);
        release();
      }
      while (running.length > 0) {
        nowMs += 700;
        queue.done(running.shift()!, 0, nowMs);
        release();
      }
      expect(sent).toHaveLength(arrivals.length);
      for (const {
        engine,
        prompt: { model },
        placementOptions,
      } of sent) {
        expect(holders[model]?.[engine] ?? 1).toBe(1);
        for (const option of placementOptions) expect(holders[model]?.[option.engine] ?? 1).toBe(1);
      }
    }),
  );
});

it("a prompt that has waited long for its engine is not sent to one that lacks its model", () => {
  const queue = queueOf();
  const first = queue.add(prompt("z", 9_000), 0);
  expect(queue.release(0)).toEqual([first]);
  const waits = queue.add(prompt("z", 100), 1);
  queue.release(1);
  const other = queue.add(prompt("x", 100), 60_000);
  expect(queue.release(60_000)).toEqual([other]);
  expect(waits.engine).toBe(-1);
  queue.done(first, 0, 60_001);
  expect(queue.release(60_001)).toEqual([waits]);
  expect(waits.engine).toBe(3);
});

it("where no engine that has it is available, the request does not wait for ever", () => {
  const queue = queueOf((engine) => engine !== 3);
  const one = queue.add(prompt("z", 100), 0);
  // The leg that takes its place finds out, and the client hears of it.
  expect(queue.release(0)).toEqual([one]);
});
