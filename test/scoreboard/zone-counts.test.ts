import { expect, test } from "vitest";
import { zoneSetWays, zoneSlotsMax } from "../../src/limits.ts";
import {
  createZoneMemory,
  layOutZones,
  ZoneCounts,
  zoneHash,
} from "../../src/scoreboard/zone-counts.ts";

const memory = () => createZoneMemory(2);
const zone = layOutZones([{ name: "z", keysMax: 1000 }]).get("z")!;
const hash = zoneHash(zone, "a");
const second = 1_000_000;

test("two workers share a key's rate", () => {
  const shared = memory();
  const [one, other] = [new ZoneCounts(shared, 2, 0), new ZoneCounts(shared, 2, 1)];
  expect(one.take(zone, hash, second, 0, 1000)).toBe(0);
  expect(other.take(zone, hash, second, 0, 1000)).toBe(second);
  expect(other.take(zone, hash, second, second, 1000)).toBe(second);
  expect(one.excessUs(zone, hash, second, 1000)).toBe(2 * second);
  expect(one.take(zone, hash, second, 0, 3000)).toBe(0);
});

test("a key that was idle for long has no more credit than one request", () => {
  const counts = new ZoneCounts(memory(), 2, 0);
  counts.take(zone, hash, second, 0, 1000);
  expect(counts.take(zone, hash, second, 0, 900_000)).toBe(0);
  expect(counts.take(zone, hash, second, 0, 900_000)).toBe(second);
});

test("more keys than the zone holds push out those idle for longest, not the busy ones", () => {
  const counts = new ZoneCounts(memory(), 2, 0);
  const small = layOutZones([{ name: "s", keysMax: zoneSetWays }]).get("s")!;
  const busy = zoneHash(small, "busy");
  for (let i = 0; i < 50; i += 1) counts.take(small, busy, second, Number.POSITIVE_INFINITY, 1000);
  for (let i = 0; i < 500; i += 1)
    counts.take(small, zoneHash(small, `k${i}`), second, 0, 1001 + i);
  expect(counts.excessUs(small, busy, second, 2000)).toBe(49 * second);
  expect(counts.excessUs(small, zoneHash(small, "k0"), second, 1001)).toBe(0);
});

test("connections of two workers count together, and those of a dead one are given back", () => {
  const shared = memory();
  const [one, other] = [new ZoneCounts(shared, 2, 0), new ZoneCounts(shared, 2, 1)];
  const slot = one.enter(zone, hash, 2);
  expect(other.enter(zone, hash, 2)).toBe(slot);
  expect(other.enter(zone, hash, 2)).toBe(-1);
  one.closeRow(1);
  expect(one.enter(zone, hash, 2)).toBe(slot);
  one.leave(slot);
  one.leave(slot);
  expect(other.enter(zone, zoneHash(zone, "b"), 1)).toBeGreaterThanOrEqual(0);
  expect(other.enter(zone, hash, 1)).toBeGreaterThanOrEqual(0);
});

test("a full set rejects connections of further keys", () => {
  const counts = new ZoneCounts(memory(), 2, 0);
  const small = layOutZones([{ name: "s", keysMax: 1 }]).get("s")!;
  const entered = Array.from({ length: zoneSetWays + 1 }, (_, i) =>
    counts.enter(small, zoneHash(small, `k${i}`), 1),
  );
  expect(entered.filter((slot) => slot < 0)).toHaveLength(1);
});

test("zones lie apart, and all of them in the memory", () => {
  const zones = [
    ...layOutZones(["a", "b", "c"].map((name) => ({ name, keysMax: 600_000 }))).values(),
  ];
  const ends = zones.map(({ firstSlot, sets }) => firstSlot + sets * zoneSetWays);
  expect(zones[1]!.firstSlot).toBe(ends[0]);
  expect(Math.max(...ends)).toBeLessThanOrEqual(zoneSlotsMax);
});
