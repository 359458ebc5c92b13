/** A limit that workers do not share is no limit; one that is kept too strictly locks a tenant out. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { tenantDebtMsMax, tenantSlotSets, tenantSlotWays } from "../../src/limits.ts";
import {
  createTenantMemory,
  requestBucket,
  TenantCounts,
  tenantSlot,
  tokenBucket,
} from "../../src/scoreboard/tenant-counts.ts";

const startMs = 1_700_000_000_000;

function workers(count: number): TenantCounts[] {
  const memory = createTenantMemory(count);
  return Array.from({ length: count }, (_, index) => new TenantCounts(memory, count, index));
}

test.each([1, 7, 60, 1_000])("of %i a minute two workers give exactly so many at once", (limit) => {
  const [a, b] = workers(2) as [TenantCounts, TenantCounts];
  const places = [tenantSlot("t"), tenantSlot("t")] as const;
  let taken = 0;
  for (let i = 0; i < 2 * limit; i += 1) {
    const wait =
      i % 2 === 0
        ? a.take(places[0], requestBucket, 1, limit, startMs)
        : b.take(places[1], requestBucket, 1, limit, startMs);
    if (wait === 0) taken += 1;
  }
  expect(taken).toBe(limit);
  expect(a.left(places[0], requestBucket, limit, startMs)).toBe(0);
});

test("it is refilled evenly, and whoever waits as long as it says gets the next", () => {
  const [counts] = workers(1) as [TenantCounts];
  const at = tenantSlot("t");
  for (let i = 0; i < 60; i += 1) expect(counts.take(at, requestBucket, 1, 60, startMs)).toBe(0);
  const waitMs = counts.take(at, requestBucket, 1, 60, startMs);
  expect(waitMs).toBe(1_000);
  expect(counts.take(at, requestBucket, 1, 60, startMs + waitMs - 1)).toBeGreaterThan(0);
  expect(counts.take(at, requestBucket, 1, 60, startMs + waitMs)).toBe(0);
  expect(counts.left(at, requestBucket, 60, startMs + 31_000)).toBe(30);
  expect(counts.fullInMs(at, requestBucket, startMs + 31_000)).toBe(30_000);
});

test("over any time no more is given than one minute's at once and what is refilled", () => {
  const step = fc.record({
    afterMs: fc.integer({ min: 0, max: 5_000 }),
    count: fc.integer({ min: 1, max: 40 }),
  });
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 500 }),
      fc.array(step, { maxLength: 60 }),
      (limit, steps) => {
        const [a, b] = workers(2) as [TenantCounts, TenantCounts];
        const at = [tenantSlot("t"), tenantSlot("t")] as const;
        let nowMs = startMs;
        let given = 0;
        steps.forEach(({ afterMs, count }, index) => {
          nowMs += afterMs;
          const wanted = Math.min(count, limit);
          const one = index % 2 === 0 ? a : b;
          if (one.take(at[index % 2]!, tokenBucket, wanted, limit, nowMs) === 0) given += wanted;
        });
        expect(given).toBeLessThanOrEqual(
          Math.floor(limit + (limit * (nowMs - startMs)) / 60_000) + 1,
        );
      },
    ),
    { numRuns: 200 },
  );
});

test("more than a whole bucket goes once it is full, and is paid for afterwards", () => {
  const [counts] = workers(1) as [TenantCounts];
  const at = tenantSlot("t");
  expect(counts.take(at, tokenBucket, 250, 100, startMs)).toBe(0);
  expect(counts.take(at, tokenBucket, 1, 100, startMs)).toBeGreaterThan(60_000);
  // What was estimated was too much.
  counts.charge(at, tokenBucket, -200, 100, startMs);
  expect(counts.left(at, tokenBucket, 100, startMs)).toBe(50);
  counts.charge(at, tokenBucket, 70, 100, startMs);
  expect(counts.left(at, tokenBucket, 100, startMs)).toBe(0);
});

test("neither a debt nor a clock that is set back locks a tenant out for long", () => {
  const [counts] = workers(1) as [TenantCounts];
  const at = tenantSlot("t");
  counts.charge(at, tokenBucket, 1e12, 1, startMs);
  expect(counts.fullInMs(at, tokenBucket, startMs)).toBe(tenantDebtMsMax);
  expect(counts.take(at, tokenBucket, 1, 1, startMs - 1e10)).toBeLessThanOrEqual(tenantDebtMsMax);
});

test("requests in flight are bounded over all workers, and a dead worker's are given back", () => {
  const [a, b] = workers(2) as [TenantCounts, TenantCounts];
  const at = tenantSlot("t");
  const slot = a.enter(at, 2, startMs);
  expect(b.enter(at, 2, startMs)).toBe(slot);
  expect(a.enter(at, 2, startMs)).toBe(-1);
  a.closeRow(1);
  expect(a.inFlight).toBe(1);
  a.leave(slot);
  expect(a.inFlight).toBe(0);
});

test("more tenants than there are slots: those that use something keep theirs", () => {
  const [counts] = workers(1) as [TenantCounts];
  const busy = tenantSlot("busy");
  counts.enter(busy, 1, startMs);
  for (let i = 0; i < 2 * tenantSlotSets * tenantSlotWays; i += 1) {
    counts.take(tenantSlot(`t${i}`), requestBucket, 1, 60, startMs);
  }
  expect(counts.enter(busy, 1, startMs)).toBe(-1);
  expect(counts.enter(tenantSlot("busy"), 1, startMs)).toBe(-1);
});

test("tenants do not use up each other's limits", () => {
  const [counts] = workers(1) as [TenantCounts];
  const names = Array.from({ length: 300 }, (_, i) => tenantSlot(`t${i}`));
  for (const at of names) expect(counts.take(at, requestBucket, 1, 1, startMs)).toBe(0);
  for (const at of names) expect(counts.take(at, requestBucket, 1, 1, startMs)).toBeGreaterThan(0);
});
