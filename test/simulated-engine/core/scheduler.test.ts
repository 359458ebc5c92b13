import { describe, expect, it } from "vitest";
import {
  type PrefillTicket,
  Scheduler,
  type Sequence,
} from "../../../src/simulated-engine/core/scheduler.ts";
import type { Timing } from "../../../src/simulated-engine/options.ts";
import { FakeClock } from "../fake-clock.ts";

const timing: Timing = {
  prefillTokensPerSecond: 1_000,
  itlMs: 10,
  batchPenaltyMs: 2,
  jitter: 0,
  seed: 1,
};

function setUp(changes: Partial<Timing> = {}) {
  const clock = new FakeClock();
  const log: string[] = [];
  const scheduler = new Scheduler(clock, { ...timing, ...changes });
  const ticket = (name: string, tokens: number): PrefillTicket => ({
    tokens,
    onStart: () => log.push(`${name} starts ${clock.now()}`),
    onDone: () => log.push(`${name} done ${clock.now()}`),
  });
  const sequence = (name: string, tokens: number): Sequence => {
    let left = tokens;
    return {
      step() {
        log.push(`${name} ${clock.now()}`);
        return --left > 0;
      },
    };
  };
  return { clock, log, scheduler, ticket, sequence };
}

describe("a slow engine", () => {
  it("takes longer for prompts and for steps that begin while it is slow", () => {
    const { clock, log, ticket, sequence } = setUp();
    let slowdown = 10;
    const scheduler = new Scheduler(clock, timing, () => slowdown);
    scheduler.prefill(ticket("a", 100));
    scheduler.prefill(ticket("b", 100));
    scheduler.join(sequence("s", 2));
    clock.advance(100);
    expect(log).toEqual(["a starts 0", "s 100"]);
    slowdown = 1;
    clock.advance(1_000);
    expect(log.slice(2)).toEqual(["s 200", "a done 1000", "b starts 1000", "b done 1100"]);
  });
});

describe("prefill", () => {
  it("takes prompts one after the other, at its speed", () => {
    const { clock, log, scheduler, ticket } = setUp();
    scheduler.prefill(ticket("a", 100));
    scheduler.prefill(ticket("b", 50));
    expect(scheduler.queued).toBe(1);
    clock.advance(1_000);
    expect(log).toEqual(["a starts 0", "a done 100", "b starts 100", "b done 150"]);
  });

  it("lets the next prompt begin at once when the one in work is taken back", () => {
    const { clock, log, scheduler, ticket } = setUp();
    const first = ticket("a", 100);
    scheduler.prefill(first);
    scheduler.prefill(ticket("b", 50));
    clock.advance(30);
    scheduler.cancelPrefill(first);
    clock.advance(1_000);
    expect(log).toEqual(["a starts 0", "b starts 30", "b done 80"]);
  });

  it("forgets a prompt that is taken back in the queue, and one that is taken back twice", () => {
    const { clock, log, scheduler, ticket } = setUp();
    const second = ticket("b", 50);
    scheduler.prefill(ticket("a", 100));
    scheduler.prefill(second);
    scheduler.cancelPrefill(second);
    scheduler.cancelPrefill(second);
    clock.advance(1_000);
    expect(log).toEqual(["a starts 0", "a done 100"]);
    expect(clock.pending).toBe(0);
  });

  it("does not nest when prompts take no time", () => {
    const { log, scheduler, ticket } = setUp({ prefillTokensPerSecond: 0 });
    let left = 20_000;
    const again: PrefillTicket = {
      tokens: 1,
      onStart: () => {},
      onDone: () => {
        if (--left > 0) scheduler.prefill(again);
      },
    };
    scheduler.prefill(again);
    expect(left).toBe(0);
    scheduler.prefill(ticket("a", 5));
    expect(log).toEqual(["a starts 0", "a done 0"]);
  });
});

describe("decode", () => {
  it("gives every running request one token per step, and a longer step to a larger batch", () => {
    const { clock, log, scheduler, sequence } = setUp();
    scheduler.join(sequence("a", 3));
    clock.advance(5);
    scheduler.join(sequence("b", 2));
    clock.advance(1_000);
    expect(log).toEqual(["a 10", "b 10", "a 22", "b 22", "a 32"]);
    expect(scheduler.decoding).toBe(0);
    expect(clock.pending).toBe(0);
  });

  it("stops a request that leaves at once, and rests when nobody is left", () => {
    const { clock, log, scheduler, sequence } = setUp();
    const requiredEngine = sequence("a", 100);
    scheduler.join(requiredEngine);
    clock.advance(25);
    scheduler.leave(requiredEngine);
    clock.advance(1_000);
    expect(log).toEqual(["a 10", "a 20"]);
    expect(clock.pending).toBe(0);
  });

  it("repeats its jitter for the same seed and stays within the fraction", () => {
    const run = (seed: number): string[] => {
      const { clock, log, scheduler, sequence } = setUp({ jitter: 0.5, seed });
      scheduler.join(sequence("a", 50));
      clock.advance(10_000);
      return log;
    };
    expect(run(7)).toEqual(run(7));
    expect(run(7)).not.toEqual(run(8));
    const times = run(7).map((entry) => Number(entry.slice(2)));
    const steps = times.map((time, index) => time - (times[index - 1] ?? 0));
    expect(Math.min(...steps)).toBeGreaterThanOrEqual(5 - 1e-6);
    expect(Math.max(...steps)).toBeLessThanOrEqual(15 + 1e-6);
  });
});
