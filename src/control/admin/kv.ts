/** The KV caches that prefill engines may hold for requests of this proxy, and what has become of earlier ones. */
import { z } from "zod";
import type { Pool } from "../../pool/pool.ts";
import { type KvEnd, kvEnds } from "../../scoreboard/kv-counts.ts";
import { count, milliseconds, named } from "./schemas.ts";

const kvCounts = {
  open: count.describe("Obligations: prefills whose KV cache is neither fetched nor freed yet."),
  oldestAgeMs: milliseconds.optional().describe("Of the oldest of them. Absent = none is open."),
  ended: z
    .record(z.enum(kvEnds), count)
    .describe("How earlier ones ended, since the engine is known."),
  missing: count.describe("Prefills that named no KV cache where the dialect has them do so."),
};

export const kvEngineSchema = named("KvEngine", z.object({ engine: z.string(), ...kvCounts }));
export type KvEngineReport = Readonly<z.output<typeof kvEngineSchema>>;

export const kvPoolSchema = named(
  "KvPool",
  z.object({ pool: z.string(), ...kvCounts, engines: z.array(kvEngineSchema).readonly() }),
);
export type KvPoolReport = Readonly<z.output<typeof kvPoolSchema>>;

/** @param nowMs since the epoch */
export function kvReports(pools: readonly Pool[], nowMs: number): KvPoolReport[] {
  return pools.map(({ name, engines, board: { kv } }) => {
    const ones = engines.map(({ name: engine, slot }) => {
      const oldestMs = kv.oldestOf(slot);
      return {
        engine,
        open: kv.openOf(slot),
        ...(oldestMs !== undefined && { oldestAgeMs: Math.max(0, nowMs - oldestMs) }),
        ended: endsOf((end) => kv.endedOf(slot, end)),
        missing: kv.missingOf(slot),
      };
    });
    const ages = ones.flatMap(({ oldestAgeMs }) => oldestAgeMs ?? []);
    return {
      pool: name,
      open: sum(ones, ({ open }) => open),
      ...(ages.length > 0 && { oldestAgeMs: Math.max(...ages) }),
      ended: endsOf((kind) => sum(ones, ({ ended }) => ended[kind])),
      missing: sum(ones, ({ missing }) => missing),
      engines: ones,
    };
  });
}

function endsOf(count: (end: KvEnd) => number): Record<KvEnd, number> {
  return Object.fromEntries(kvEnds.map((end) => [end, count(end)])) as Record<KvEnd, number>;
}

function sum<T>(ones: readonly T[], count: (one: T) => number): number {
  return ones.reduce((total, one) => total + count(one), 0);
}
