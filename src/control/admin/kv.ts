/** The KV caches that prefill engines may hold for requests of this proxy, and what has become of earlier ones. */
import type { Pool } from "../../pool/pool.ts";
import { type KvEnd, kvEnds } from "../../scoreboard/kv-counts.ts";

interface KvCountsReport {
  /** Obligations: prefills whose KV cache is neither fetched nor freed yet. */
  readonly open: number;
  /** Age of the oldest of them; absent = none is open. */
  readonly oldestAgeMs?: number;
  /** Since the engine is known. */
  readonly ended: Readonly<Record<KvEnd, number>>;
  /** Prefills that named no KV cache where the dialect has them do so. */
  readonly missing: number;
}

export interface KvEngineReport extends KvCountsReport {
  readonly engine: string;
}

export interface KvPoolReport extends KvCountsReport {
  readonly pool: string;
  readonly engines: readonly KvEngineReport[];
}

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
