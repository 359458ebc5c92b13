/**
 * The books of the KV obligations of all workers, beside the proxy's own: each obligation is closed once, and what
 * operators see is what the books say. Throws where it is not so.
 */
import { expect } from "vitest";
import type { KvEntry, KvLedger } from "../../src/proxy/pd/kv/kv-ledger.ts";
import { type KvEnd, kvEnds } from "../../src/scoreboard/kv-counts.ts";
import type { Scoreboard } from "../../src/scoreboard/scoreboard.ts";

export class KvAudit {
  /** So many were ever opened. */
  opened = 0;
  /** Those that are open, by worker. */
  readonly #open: Set<KvEntry>[] = [];

  /** The ledger of a new worker. What one before it had open, if it has died, nobody closes. */
  watch(worker: number, ledger: KvLedger): void {
    const own = new Set<KvEntry>();
    this.#open[worker] = own;
    const open = ledger.open.bind(ledger);
    const close = ledger.close.bind(ledger);
    ledger.open = (entry) => {
      open(entry);
      own.add(entry);
      this.opened += 1;
    };
    ledger.close = (entry, end) => {
      if (!own.delete(entry)) throw new Error(`a KV obligation is closed once more: ${end}`);
      close(entry, end);
    };
  }

  check(board: Scoreboard, slots: readonly number[]): void {
    const open = slots.reduce((sum, slot) => sum + board.kv.openOf(slot), 0);
    const inBooks = this.#open.reduce((sum, { size }) => sum + size, 0);
    if (open !== inBooks) expect(open, "open KV obligations").toBe(inBooks);
    const ended = kvEnds.reduce((sum, end) => sum + endedOf(board, slots, end), 0);
    if (open + ended !== this.opened) expect(open + ended, "KV obligations").toBe(this.opened);
  }
}

/** At all engines. */
export function endedOf({ kv }: Scoreboard, slots: readonly number[], end: KvEnd): number {
  return slots.reduce((sum, slot) => sum + kv.endedOf(slot, end), 0);
}
