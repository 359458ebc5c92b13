/** Since when each engine is in its state, and how its requests have failed lately. */
import type { Engine } from "../../../pool/engine.ts";
import { type EngineStateReport, engineStateOf } from "../../../pool/health/engine-state.ts";
import type { Pool } from "../../../pool/pool.ts";
import { engineIdentity } from "../../../pool/slots.ts";
import { legFailures, legNames } from "../../../scoreboard/leg-counts.ts";
import { burstQuietMs } from "../../limits.ts";
import type { Burst } from "./messages.ts";

/** An engine has come, gone, or changed its state. */
export interface StateChange {
  readonly pool: string;
  readonly engine: string;
  /** Undefined = it was not there, or is not any more. */
  readonly from: EngineStateReport | undefined;
  readonly to: EngineStateReport | undefined;
  readonly burst: Burst | undefined;
}

type FailureCounts = readonly [errors: number, timeouts: number, invalid: number, statuses: number];

interface Watched {
  readonly pool: string;
  readonly engine: string;
  state: EngineStateReport;
  sinceMs: number;
  counts: FailureCounts;
  /** Before the burst. */
  base: FailureCounts;
  burstMs: number;
  /** When the last failure was seen; -1 = none was. */
  lastMs: number;
  /** Requests that were sent there, now and at the last look, for their rate. */
  picks: number;
  rate: number;
}

export class EngineWatch {
  #watched = new Map<string, Watched>();
  #lookedMs = -1;

  /** @param nowMs since the epoch */
  look(pools: readonly Pool[], nowMs: number): StateChange[] {
    const changes: StateChange[] = [];
    const before = this.#watched;
    const seconds = this.#lookedMs < 0 ? 0 : Math.max(0.2, (nowMs - this.#lookedMs) / 1_000);
    this.#watched = new Map();
    for (const pool of pools) {
      for (const engine of pool.engines) {
        const key = engineIdentity(pool.name, engine.name);
        const one = before.get(key) ?? watched(pool, engine, nowMs);
        const isKnown = before.has(key);
        this.#watched.set(key, one);
        countFailures(one, failuresOf(pool, engine), nowMs);
        countPicks(one, pool.board.picks(engine.slot), seconds);
        const from = isKnown ? one.state : undefined;
        const to = engineStateOf(pool, engine, nowMs);
        if (isKnown && from?.state === to.state) {
          one.state = to;
          continue;
        }
        one.state = to;
        one.sinceMs = nowMs;
        if (before.size > 0) changes.push({ ...nameOf(one), from, to, burst: burstOf(one) });
      }
    }
    for (const [key, one] of before) {
      if (this.#watched.has(key)) continue;
      changes.push({ ...nameOf(one), from: one.state, to: undefined, burst: undefined });
    }
    this.#lookedMs = nowMs;
    return changes;
  }

  /** Undefined = it was not looked at yet. */
  of(pool: string, engine: string) {
    const one = this.#watched.get(engineIdentity(pool, engine));
    return one && { sinceMs: one.sinceMs, rate: one.rate, burst: burstOf(one) };
  }
}

const nameOf = ({ pool, engine }: Watched) => ({ pool, engine });

function watched(pool: Pool, engine: Engine, nowMs: number): Watched {
  const counts = failuresOf(pool, engine);
  return {
    pool: pool.name,
    engine: engine.name,
    state: engineStateOf(pool, engine, nowMs),
    sinceMs: nowMs,
    counts,
    base: counts,
    burstMs: nowMs,
    lastMs: -1,
    picks: pool.board.picks(engine.slot),
    rate: 0,
  };
}

function failuresOf({ board: { legs } }: Pool, { slot }: Engine): FailureCounts {
  const sum = (count: (leg: (typeof legNames)[number]) => number) =>
    legNames.reduce((total, leg) => total + count(leg), 0);
  // Want of descriptors is this process' own.
  const kinds = legFailures.filter((kind) => kind !== "descriptors");
  const [errors = 0, timeouts = 0, invalid = 0] = kinds.map((kind) =>
    sum((leg) => legs.failures(slot, leg, kind)),
  );
  return [errors, timeouts, invalid, sum((leg) => legs.requests(slot, leg, "5xx"))];
}

function countFailures(one: Watched, counts: FailureCounts, nowMs: number): void {
  const before = one.counts;
  one.counts = counts;
  // Another engine has the slot.
  if (counts.some((count, i) => count < before[i]!)) one.base = counts;
  if (!counts.some((count, i) => count > before[i]!)) return;
  if (one.lastMs < 0 || nowMs - one.lastMs > burstQuietMs) {
    one.base = before;
    one.burstMs = nowMs;
  }
  one.lastMs = nowMs;
}

/** A moving average over some seconds, so that it can be read. */
function countPicks(one: Watched, picks: number, seconds: number): void {
  const now = seconds > 0 ? Math.max(0, picks - one.picks) / seconds : 0;
  one.rate += (now - one.rate) * 0.2;
  one.picks = picks;
}

function burstOf({ counts, base, burstMs, lastMs }: Watched): Burst | undefined {
  if (lastMs < 0) return undefined;
  const [errors, timeouts, invalid, statuses] = counts.map((count, i) => count - base[i]!);
  return {
    sinceMs: burstMs,
    lastMs,
    errors: errors!,
    timeouts: timeouts!,
    invalid: invalid!,
    statuses: statuses!,
  };
}
