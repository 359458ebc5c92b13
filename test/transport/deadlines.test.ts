/** A time-out fires once, never early and a tick late at most, whatever its handler does to the others. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Deadlines, type Expirable } from "../../src/transport/deadlines.ts";

class Entry implements Expirable {
  deadlineIndex = -1;
  deadlineMs: number;
  readonly name: number;
  readonly fired: number[] = [];
  #onExpired: (entry: Entry, nowMs: number) => void;

  constructor(name: number, deadlineMs: number, onExpired: (e: Entry, nowMs: number) => void) {
    this.name = name;
    this.deadlineMs = deadlineMs;
    this.#onExpired = onExpired;
  }

  expired(nowMs: number): void {
    this.fired.push(nowMs);
    this.#onExpired(this, nowMs);
  }
}

const quiet = () => {};

function registry(times: readonly number[], onExpired: (entry: Entry) => void = quiet) {
  const deadlines = new Deadlines(0);
  const entries = times.map((ms, i) => new Entry(i, ms, onExpired));
  for (const entry of entries) deadlines.add(entry);
  return { deadlines, entries };
}

describe("a deadline", () => {
  it("fires at its time and not before, once", () => {
    const { deadlines, entries } = registry([100, 200, Number.POSITIVE_INFINITY]);
    deadlines.tick(99.9);
    expect(entries.map(({ fired }) => fired)).toEqual([[], [], []]);
    for (const now of [100, 150, 200, 1e12]) deadlines.tick(now);
    expect(entries.map(({ fired }) => fired)).toEqual([[100], [200], []]);
  });

  it("can be set anew, also by its own handler", () => {
    const { deadlines, entries } = registry([10], (entry) => {
      entry.deadlineMs = entry.fired.length === 1 ? 30 : Number.POSITIVE_INFINITY;
    });
    for (const now of [10, 20, 29, 30, 31]) deadlines.tick(now);
    expect(entries[0]!.fired).toEqual([10, 30]);
  });

  it("that was set while the process did not get to run has its time", () => {
    const { deadlines } = registry([]);
    const entry = new Entry(0, deadlines.dueIn(5_000), quiet);
    deadlines.add(entry);
    deadlines.tick(20_000);
    expect(entry.fired).toEqual([]);
    let nowMs = 20_000;
    for (; entry.fired.length === 0; nowMs += 100) deadlines.tick(nowMs);
    // The late tick has counted for a second.
    expect(entry.fired[0]).toBe(24_100);
  });

  it("shows by its ticks for how long the process did not run, also before the next tick", () => {
    const { deadlines } = registry([]);
    for (const now of [100, 250, 400]) deadlines.tick(now);
    expect(deadlines.pausedMs(600)).toBe(0);
    expect(deadlines.pausedMs(5_400)).toBe(4_800);
    for (const now of [5_400, 5_500]) deadlines.tick(now);
    expect(deadlines.pausedMs(5_600)).toBe(4_800);
  });

  it("comes although each tick is late", () => {
    const { deadlines, entries } = registry([5_000]);
    for (let tick = 1; tick <= 5; tick += 1) deadlines.tick(tick * 3_000);
    expect(entries[0]!.fired).toEqual([15_000]);
  });

  it("that was pushed back does not fire at its old time", () => {
    const { deadlines, entries } = registry([10]);
    entries[0]!.deadlineMs = 20;
    deadlines.tick(15);
    expect(entries[0]!.fired).toEqual([]);
  });

  it("of an entry that was removed never fires; adding and removing twice does nothing", () => {
    const { deadlines, entries } = registry([10, 10]);
    deadlines.add(entries[0]!);
    expect(deadlines.size).toBe(2);
    deadlines.remove(entries[0]!);
    deadlines.remove(entries[0]!);
    expect(deadlines.size).toBe(1);
    deadlines.tick(10);
    expect(entries.map(({ fired }) => fired.length)).toEqual([0, 1]);
    deadlines.add(entries[0]!);
    deadlines.tick(11);
    expect(entries.map(({ fired }) => fired.length)).toEqual([1, 1]);
  });
});

/** What the handler of an entry does: removes some, adds some. */
const deed = fc.record({ removes: fc.array(fc.nat(19), { maxLength: 4 }), adds: fc.nat(2) });

it("each entry that is due fires exactly once, whatever handlers remove and add in the same tick", () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ dueMs: fc.integer({ min: 1, max: 5 }), deed }), {
        minLength: 1,
        maxLength: 20,
      }),
      (plans) => {
        const deadlines = new Deadlines(0);
        const all: Entry[] = [];
        const removed = new Set<Entry>();
        const act = (entry: Entry, nowMs: number) => {
          const plan = plans[entry.name];
          if (plan === undefined) return;
          for (const which of plan.deed.removes) {
            const other = all[which % all.length]!;
            deadlines.remove(other);
            removed.add(other);
          }
          for (let n = 0; n < plan.deed.adds; n += 1) {
            const newcomer = new Entry(-1, nowMs + n, quiet);
            all.push(newcomer);
            deadlines.add(newcomer);
          }
        };
        for (const [name, { dueMs }] of plans.entries()) all.push(new Entry(name, dueMs, act));
        for (const entry of all) deadlines.add(entry);
        const dueOf = new Map(all.map((entry) => [entry, entry.deadlineMs]));
        for (let now = 1; now <= 8; now += 1) {
          const firedBefore = new Map(all.map((entry) => [entry, entry.fired.length]));
          const gone = new Set(removed);
          deadlines.tick(now);
          for (const entry of all) {
            const due = dueOf.get(entry) ?? now;
            dueOf.set(entry, due);
            const times = entry.fired.length - (firedBefore.get(entry) ?? 0);
            if (gone.has(entry)) expect(times).toBe(0);
            for (const at of entry.fired) expect(at).toBeGreaterThanOrEqual(due);
            // Removed in this very tick: before its turn or after it.
            if (!removed.has(entry) && firedBefore.has(entry) && due === now) {
              expect(times).toBe(1);
            }
            expect(entry.fired.length).toBeLessThanOrEqual(1);
          }
          const registered = all.filter((entry) => !removed.has(entry));
          expect(deadlines.size).toBe(registered.length);
        }
      },
    ),
    { seed: 9, numRuns: 400 },
  );
});

it("is late by a tick at most: the next tick finds what came during the last", () => {
  const { deadlines, entries } = registry([10, 10, 10], (entry) => {
    if (entry.name === 2) for (const other of [0, 1]) entries[other]!.deadlineMs = 11;
  });
  deadlines.tick(10);
  deadlines.tick(11);
  expect(entries.map(({ fired }) => fired)).toEqual([[11], [11], [10]]);
  expect(deadlines.nowMs).toBe(11);
});
