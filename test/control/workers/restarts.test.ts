/** A worker that dies again and again must not keep the machine busy with starting it. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Restarts } from "../../../src/control/workers/restarts.ts";
import type { WorkerThread } from "../../../src/control/workers/worker-thread.ts";

let nowMs = 0;
let taken: number[] = [];
let restarted: number[] = [];
let alerts: string[] = [];
let restarts: Restarts;

beforeEach(() => {
  vi.useFakeTimers();
  nowMs = 0;
  taken = [];
  restarted = [];
  alerts = [];
  restarts = new Restarts({
    workers: 2,
    hangMs: 10_000,
    log: { alert: (message: string) => alerts.push(message) } as never,
    nowMs: () => nowMs,
    ended: (worker) => taken.push(worker),
    restart: (worker) => restarted.push(worker),
    stuck: () => {},
  });
});
afterEach(() => {
  restarts.stop();
  vi.useRealTimers();
});

/** A thread that lives for so long. @returns the delay after which it is started again, in ms */
async function die(index: number, livedMs: number): Promise<number> {
  let end = (_cause: string) => {};
  const ended = new Promise<string>((resolve) => {
    end = resolve;
  });
  restarts.watch({ index, ended, isHung: false } as unknown as WorkerThread);
  nowMs += livedMs;
  end("cause");
  await vi.advanceTimersByTimeAsync(0);
  return Number(/in (\d+) ms: cause/.exec(alerts.at(-1)!)![1]);
}

test("the delay doubles up to its bound, for each worker by itself", async () => {
  const delays: number[] = [];
  for (let death = 0; death < 10; death += 1) delays.push(await die(0, 50));
  expect(delays).toEqual([100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000, 10_000]);
  expect(await die(1, 50)).toBe(100);
  expect(restarts.counts).toEqual({ died: 11, hung: 0 });
});

test("one that had lived for a while starts over", async () => {
  for (let death = 0; death < 5; death += 1) await die(0, 50);
  expect(await die(0, 60_000)).toBe(100);
});

test("what it had taken is free at once, and it is started after the delay", async () => {
  await die(1, 50);
  expect(taken).toEqual([1]);
  expect(restarted).toEqual([]);
  await vi.advanceTimersByTimeAsync(100);
  expect(restarted).toEqual([1]);
});

test("none is started again once the instance closes", async () => {
  await die(0, 50);
  restarts.close();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(restarted).toEqual([]);
});
