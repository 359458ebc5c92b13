/**
 * The KV caches that prefill engines may hold for requests of one worker. The counts stand on the scoreboard, where the
 * main thread reads those of all workers.
 */
import { kvReleasesAtOnceMax } from "../../../limits.ts";
import type { KvCounts, KvEnd } from "../../../scoreboard/kv-counts.ts";
import type { Clock } from "../../../transport/clock.ts";
import type { KvEntry } from "./kv-obligation.ts";

export class KvLedger {
  readonly #counts: KvCounts;
  readonly #clock: Pick<Clock, "wallMs">;
  /** Those that are open, by slot; the oldest first. */
  readonly #open = new Map<number, Set<Entry>>();
  readonly #settled: () => void;
  #releasing = 0;

  /** @param settled called when the last KV cache that was being freed is */
  constructor(counts: KvCounts, clock: Pick<Clock, "wallMs">, settled: () => void) {
    this.#counts = counts;
    this.#clock = clock;
    this.#settled = settled;
  }

  /** KV caches of ended requests that are being freed. */
  get releasing(): number {
    return this.#releasing;
  }

  /** A prefill is sent to the engine of this slot. */
  open(slot: number): KvEntry {
    let entries = this.#open.get(slot);
    if (entries === undefined) {
      entries = new Set();
      this.#open.set(slot, entries);
    }
    const entry = new Entry(this, slot, this.#clock.wallMs());
    entries.add(entry);
    this.#counts.opened(slot);
    if (entries.size === 1) this.#counts.setOldest(slot, entry.openedMs);
    return entry;
  }

  close(entry: Entry, end: KvEnd): void {
    const { slot } = entry;
    const entries = this.#open.get(slot)!;
    const [oldest] = entries;
    entries.delete(entry);
    this.#counts.ended(slot, end);
    if (oldest !== entry) return;
    const [next] = entries;
    this.#counts.setOldest(slot, next?.openedMs ?? 0);
    if (next === undefined) this.#open.delete(slot);
  }

  /** False if so many are being freed that one more would be too many. */
  startRelease(): boolean {
    if (this.#releasing >= kvReleasesAtOnceMax) return false;
    this.#releasing += 1;
    return true;
  }

  endRelease(): void {
    this.#releasing -= 1;
    if (this.#releasing === 0) this.#settled();
  }
}

class Entry implements KvEntry {
  readonly slot: number;
  readonly openedMs: number;
  readonly #ledger: KvLedger;

  constructor(ledger: KvLedger, slot: number, openedMs: number) {
    this.#ledger = ledger;
    this.slot = slot;
    this.openedMs = openedMs;
  }

  close(end: KvEnd): void {
    this.#ledger.close(this, end);
  }
}
