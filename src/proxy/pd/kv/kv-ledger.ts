/**
 * The KV caches that prefill engines may hold for requests of one worker. The counts stand on the scoreboard, where the
 * main thread reads those of all workers.
 */
import { kvReleasesAtOnceMax } from "../../../limits.ts";
import type { KvCounts, KvEnd } from "../../../scoreboard/kv-counts.ts";
import type { Clock } from "../../../transport/clock.ts";

export class KvLedger {
  readonly #counts: KvCounts;
  readonly #clock: Pick<Clock, "wallMs">;
  /**
   * Those that are open, by slot, each the first of a list by age. Lists through the entries: a request allocates
   * nothing beside its entry, and the oldest one is known without a look at the others.
   */
  readonly #oldest: (KvEntry | undefined)[] = [];
  readonly #newest: (KvEntry | undefined)[] = [];
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

  /** A prefill is sent to the engine of the entry's slot. */
  open(entry: KvEntry): void {
    const { slot } = entry;
    const older = this.#newest[slot];
    entry.openedMs = this.#clock.wallMs();
    entry.older = older;
    this.#counts.opened(slot);
    if (older === undefined) {
      this.#oldest[slot] = entry;
      this.#counts.setOldest(slot, entry.openedMs);
    } else older.newer = entry;
    this.#newest[slot] = entry;
  }

  close(entry: KvEntry, end: KvEnd): void {
    const { slot, older, newer } = entry;
    this.#counts.ended(slot, end);
    if (newer === undefined) this.#newest[slot] = older;
    else newer.older = older;
    if (older === undefined) {
      this.#oldest[slot] = newer;
      this.#counts.setOldest(slot, newer?.openedMs ?? 0);
    } else older.newer = newer;
    // An entry that is not collected yet must not keep those that came after it.
    entry.older = undefined;
    entry.newer = undefined;
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

/** What counts an obligation where operators see it. The ledger alone writes its members. */
export class KvEntry {
  readonly slot: number;
  openedMs = 0;
  older: KvEntry | undefined = undefined;
  newer: KvEntry | undefined = undefined;

  constructor(slot: number) {
    this.slot = slot;
  }
}
