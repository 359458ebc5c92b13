/** The KV that a prefill engine holds for others: it can be fetched once, for the same prompt, within a lease. */

import type { Clock } from "../clock.ts";

/** One prompt's KV, reserved for one decode engine. */
export interface KvEntry {
  /** The engine's own name for it, unique for this engine's life. */
  readonly requestId: string;
  /** Hash of model and prompt: see `promptHash` in `request/inference-request.ts`. */
  readonly promptHash: string;
  /** Transfer parameters that must come back unchanged; compared as text. */
  readonly seal: string;
  readonly tokens: number;
}

/** Why a fetch is rejected. */
export type KvRefusal = "unknown" | "wrong_prompt" | "mangled_params";

/** `stored` is the sum of the other four and of the entries that are there. */
export interface KvCounts {
  stored: number;
  /** Fetched by a decode engine, which frees it. */
  fetched: number;
  /** Freed because a decode engine released it without a fetch. */
  released: number;
  /** Freed because its lease ended. */
  expired: number;
  /** Freed because the store was full. */
  evicted: number;
  /** Leases that were renewed. */
  renewed: number;
  readonly refused: Record<KvRefusal, number>;
}

export class KvStore {
  readonly counts: KvCounts = {
    stored: 0,
    fetched: 0,
    released: 0,
    expired: 0,
    evicted: 0,
    renewed: 0,
    refused: { unknown: 0, wrong_prompt: 0, mangled_params: 0 },
  };
  tokens = 0;
  readonly leaseMs: number;
  readonly #clock: Clock;
  readonly #entriesMax: number;
  /** In the order in which they expire, because all leases are equally long. */
  readonly #entries = new Map<string, { readonly kv: KvEntry; readonly expiresAtMs: number }>();
  #cancelTimer: (() => void) | undefined;

  constructor(clock: Clock, leaseMs: number, entriesMax: number) {
    this.#clock = clock;
    this.leaseMs = leaseMs;
    this.#entriesMax = entriesMax;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The oldest ids, at most `max`. */
  ids(max: number): string[] {
    return [...this.#entries.keys()].slice(0, max);
  }

  hold(kv: KvEntry): void {
    if (this.#entries.size >= this.#entriesMax) {
      this.#free(this.#entries.values().next().value!.kv);
      this.counts.evicted++;
    }
    this.#entries.set(kv.requestId, { kv, expiresAtMs: this.#clock.now() + this.leaseMs });
    this.tokens += kv.tokens;
    this.counts.stored++;
    this.#armTimer();
  }

  /** Removes the KV and returns it, or returns why not; a rejected entry stays until its lease ends. */
  take(requestId: string, promptHash: string, seal: string): KvEntry | KvRefusal {
    this.#expire();
    const kv = this.#entries.get(requestId)?.kv;
    const refusal = refusalOf(kv, promptHash, seal);
    if (kv === undefined || refusal !== undefined) {
      this.counts.refused[refusal ?? "unknown"]++;
      return refusal ?? "unknown";
    }
    this.#free(kv);
    this.counts.fetched++;
    return kv;
  }

  /** Frees KV that is no longer needed. An unknown id is fine: the release may cross the fetch. */
  release(requestId: string): boolean {
    this.#expire();
    const entry = this.#entries.get(requestId);
    if (entry === undefined) return false;
    this.#free(entry.kv);
    this.counts.released++;
    return true;
  }

  /** Renews the lease, for a decode engine that has the request in its queue. */
  renew(requestId: string): boolean {
    this.#expire();
    const entry = this.#entries.get(requestId);
    if (entry === undefined) return false;
    // To the end of the map, which is in the order of expiry.
    this.#entries.delete(requestId);
    this.#entries.set(requestId, { kv: entry.kv, expiresAtMs: this.#clock.now() + this.leaseMs });
    this.counts.renewed++;
    return true;
  }

  /** Ends all leases, as if their time were over. */
  endLeases(): void {
    for (const { kv } of this.#entries.values()) {
      this.#free(kv);
      this.counts.expired++;
    }
  }

  close(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#entries.clear();
    this.tokens = 0;
  }

  #free(kv: KvEntry): void {
    this.#entries.delete(kv.requestId);
    this.tokens -= kv.tokens;
  }

  #expire(): void {
    const now = this.#clock.now();
    for (const { kv, expiresAtMs } of this.#entries.values()) {
      if (expiresAtMs > now) return;
      this.#free(kv);
      this.counts.expired++;
    }
  }

  /** One timer, for the lease that ends first; if that entry is gone by then, the timer is set for the next. */
  #armTimer(): void {
    if (this.#cancelTimer !== undefined) return;
    const first = this.#entries.values().next().value;
    if (first === undefined) return;
    const delayMs = Math.max(1, first.expiresAtMs - this.#clock.now());
    this.#cancelTimer = this.#clock.after(delayMs, () => {
      this.#cancelTimer = undefined;
      this.#expire();
      this.#armTimer();
    });
  }
}

function refusalOf(
  kv: KvEntry | undefined,
  promptHash: string,
  seal: string,
): KvRefusal | undefined {
  if (kv === undefined) return "unknown";
  if (kv.promptHash !== promptHash) return "wrong_prompt";
  return kv.seal === seal ? undefined : "mangled_params";
}
