/** The KV that a prefill engine holds for others: handed over once, to the same prompt, within a lease. */

import type { Clock } from "../core/timing.ts";

/** One prompt's KV, waiting for the decode engine that was promised it. */
export interface HeldKv {
  /** The engine's own name for it, unique for this engine's life. */
  readonly requestId: string;
  /** Hash of model and prompt: see `promptHash` in `inference-request.ts`. */
  readonly promptHash: string;
  /** What the hand-off says that only comes back unharmed when nobody has touched it; compared as text. */
  readonly seal: string;
  readonly tokens: number;
}

/** Why KV is not handed over. */
export type KvRefusal = "unknown" | "wrong_prompt" | "mangled_params";

/** `stored` is the sum of `held`, `fetched`, `released`, `expired` and `evicted`. */
export interface KvCounts {
  stored: number;
  /** Handed over to a decode engine, and freed by that. */
  fetched: number;
  /** Freed at a decode engine's word, without a hand-over. */
  released: number;
  /** Freed because nobody came before the lease ended. */
  expired: number;
  /** Freed because more was held than the engine has room for. */
  evicted: number;
  /** Leases that were started again. */
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
  heldTokens = 0;
  readonly leaseMs: number;
  readonly #clock: Clock;
  readonly #heldMax: number;
  /** In the order of their ends, because all leases are equally long. */
  readonly #held = new Map<string, { readonly kv: HeldKv; readonly expiresAtMs: number }>();
  #cancelTimer: (() => void) | undefined;

  constructor(clock: Clock, leaseMs: number, heldMax: number) {
    this.#clock = clock;
    this.leaseMs = leaseMs;
    this.#heldMax = heldMax;
  }

  get held(): number {
    return this.#held.size;
  }

  /** The oldest names, at most `max`. */
  heldIds(max: number): string[] {
    return [...this.#held.keys()].slice(0, max);
  }

  hold(kv: HeldKv): void {
    if (this.#held.size >= this.#heldMax) {
      this.#free(this.#held.values().next().value!.kv);
      this.counts.evicted++;
    }
    this.#held.set(kv.requestId, { kv, expiresAtMs: this.#clock.now() + this.leaseMs });
    this.heldTokens += kv.tokens;
    this.counts.stored++;
    this.#armTimer();
  }

  /** Hands the KV over and forgets it, or says why not; then it stays held until its lease ends. */
  take(requestId: string, promptHash: string, seal: string): HeldKv | KvRefusal {
    this.#expire();
    const kv = this.#held.get(requestId)?.kv;
    const refusal = refusalOf(kv, promptHash, seal);
    if (kv === undefined || refusal !== undefined) {
      this.counts.refused[refusal ?? "unknown"]++;
      return refusal ?? "unknown";
    }
    this.#free(kv);
    this.counts.fetched++;
    return kv;
  }

  /** Frees KV that is not needed any more. An unknown name is fine: the release may cross the hand-over. */
  release(requestId: string): boolean {
    this.#expire();
    const held = this.#held.get(requestId);
    if (held === undefined) return false;
    this.#free(held.kv);
    this.counts.released++;
    return true;
  }

  /** Starts the lease again, for a decode engine that has the request and is not yet at it. */
  renew(requestId: string): boolean {
    this.#expire();
    const held = this.#held.get(requestId);
    if (held === undefined) return false;
    // To the end of the order, which is the order of the ends.
    this.#held.delete(requestId);
    this.#held.set(requestId, { kv: held.kv, expiresAtMs: this.#clock.now() + this.leaseMs });
    this.counts.renewed++;
    return true;
  }

  /** Ends all leases, as if their time were over. */
  endLeases(): void {
    for (const { kv } of this.#held.values()) {
      this.#free(kv);
      this.counts.expired++;
    }
  }

  close(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#held.clear();
    this.heldTokens = 0;
  }

  #free(kv: HeldKv): void {
    this.#held.delete(kv.requestId);
    this.heldTokens -= kv.tokens;
  }

  #expire(): void {
    const now = this.#clock.now();
    for (const { kv, expiresAtMs } of this.#held.values()) {
      if (expiresAtMs > now) return;
      this.#free(kv);
      this.counts.expired++;
    }
  }

  /** One timer, for the lease that ends first; it may find that this one is gone and wait for the next. */
  #armTimer(): void {
    if (this.#cancelTimer !== undefined) return;
    const first = this.#held.values().next().value;
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
  kv: HeldKv | undefined,
  promptHash: string,
  seal: string,
): KvRefusal | undefined {
  if (kv === undefined) return "unknown";
  if (kv.promptHash !== promptHash) return "wrong_prompt";
  return kv.seal === seal ? undefined : "mangled_params";
}
