/** A worker that hangs must be noticed, and one on a slow machine must not be taken for it. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { Heartbeats } from "../../../src/control/workers/heartbeats.ts";

const hangMs = 10_000;
let nowMs = 0;
let cpuMs = 0;
/** Of the time of each look. */
let cpuShare = 1;
let hung: number[] = [];
let heartbeats: Heartbeats;

beforeEach(() => {
  nowMs = 0;
  cpuMs = 0;
  cpuShare = 1;
  hung = [];
  // Its own timer would look once per second: the test ends before.
  heartbeats = new Heartbeats({
    workers: 2,
    hangMs,
    nowMs: () => nowMs,
    cpuMs: () => cpuMs,
    hung: (worker) => hung.push(worker),
  });
  heartbeats.watch(0);
  heartbeats.watch(1);
});
afterEach(() => heartbeats.close());

function beat(worker: number): void {
  Atomics.add(new Int32Array(heartbeats.memory), worker, 1);
}

/** Looks after each of these times; workers that beat do so before. */
function looks(count: number, everyMs: number, beating: readonly number[]): void {
  for (let look = 0; look < count; look += 1) {
    nowMs += everyMs;
    cpuMs += everyMs * cpuShare;
    for (const worker of beating) beat(worker);
    heartbeats.look();
  }
}

test("one that gives no sign of life for the whole time hangs, and is reported once", () => {
  looks(9, 1000, [0]);
  expect(hung).toEqual([]);
  looks(1, 1000, [0]);
  expect(hung).toEqual([1]);
  looks(20, 1000, [0]);
  expect(hung).toEqual([1]);
});

test("a sign of life in between starts the time over", () => {
  looks(9, 1000, [0]);
  beat(1);
  looks(9, 1000, [0]);
  expect(hung).toEqual([]);
});

test("the count may pass the largest integer", () => {
  new Int32Array(heartbeats.memory)[1] = 2 ** 31 - 1;
  looks(20, 1000, [0, 1]);
  expect(hung).toEqual([]);
});

test("a process that was stopped, or a machine too slow for the main thread, says nothing", () => {
  looks(1, 3_600_000, []);
  looks(100, 2_500, []);
  expect(hung).toEqual([]);
});

test("one that other programs keep from the CPU has more time, also if the main thread is on time", () => {
  cpuShare = 0.1;
  looks(45, 1000, [0]);
  expect(hung).toEqual([]);
  looks(5, 1000, [0]);
  // 5 s of CPU time without a sign of life.
  expect(hung).toEqual([1]);
});

test("one that waits in the system for ever hangs, too", () => {
  cpuShare = 0;
  looks(59, 1000, [0]);
  expect(hung).toEqual([]);
  looks(1, 1000, [0]);
  expect(hung).toEqual([1]);
});

test("a main thread that is late now and then still notices", () => {
  for (let round = 0; round < 10; round += 1) {
    looks(1, 5_000, [0]);
    looks(1, 1_000, [0]);
  }
  expect(hung).toEqual([1]);
});

test("one that is not watched, or no longer, is not reported", () => {
  heartbeats.ignore(0);
  looks(20, 1000, [1]);
  expect(hung).toEqual([]);
  heartbeats.watch(0);
  looks(10, 1000, [1]);
  expect(hung).toEqual([0]);
});
