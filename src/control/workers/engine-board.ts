/**
 * The scoreboards that all workers share: assigns slots to engines, and takes back the leases of a worker that died.
 */
import type { Config } from "../../config/schema/schema.ts";
import { engineSlotsMax } from "../../limits.ts";
import { createMetricsMemory, MetricsMemory } from "../../observe/metrics/metrics-memory.ts";
import { type SlotsByIdentity, SlotTable } from "../../pool/slots.ts";
import { createScoreboardMemory, Scoreboard } from "../../scoreboard/scoreboard.ts";
import { createTenantMemory, TenantCounts } from "../../scoreboard/tenant-counts.ts";
import { createZoneMemory, ZoneCounts } from "../../scoreboard/zone-counts.ts";

export class EngineBoard {
  readonly memory: SharedArrayBuffer;
  /** The scoreboard of shadow policies, which decide nothing. */
  readonly shadowMemory: SharedArrayBuffer;
  /** Where workers count metrics. */
  readonly metricsMemory: SharedArrayBuffer;
  readonly metrics: MetricsMemory;
  /** Where workers count what tenants use. */
  readonly tenantMemory: SharedArrayBuffer;
  readonly tenants: TenantCounts;
  /** Where workers count for the limits of routes. */
  readonly zoneMemory: SharedArrayBuffer;
  readonly #zones: ZoneCounts;
  readonly #board: Scoreboard;
  readonly #shadowBoard: Scoreboard;
  readonly #table: SlotTable;
  #current: SlotsByIdentity = {};

  constructor(workers: number) {
    const size = { workers, slots: engineSlotsMax };
    this.memory = createScoreboardMemory(size);
    this.shadowMemory = createScoreboardMemory(size);
    this.metricsMemory = createMetricsMemory(workers);
    this.metrics = new MetricsMemory(this.metricsMemory, workers, 0);
    this.tenantMemory = createTenantMemory(workers);
    this.tenants = new TenantCounts(this.tenantMemory, workers, 0);
    this.zoneMemory = createZoneMemory(workers);
    this.#zones = new ZoneCounts(this.zoneMemory, workers, 0);
    this.#board = new Scoreboard(this.memory, 0);
    this.#shadowBoard = new Scoreboard(this.shadowMemory, 0);
    this.#table = new SlotTable(engineSlotsMax, (slot) => {
      this.#board.clearSlot(slot);
      this.#shadowBoard.clearSlot(slot);
    });
  }

  /** The main thread takes no leases on it. */
  get view(): Scoreboard {
    return this.#board;
  }

  get shadowView(): Scoreboard {
    return this.#shadowBoard;
  }

  /** Whether the engine has requests in flight, or holds a KV cache for one. */
  isBusy(slot: number): boolean {
    return this.#board.inFlight(slot) > 0 || this.#board.kv.openOf(slot) > 0;
  }

  /** Slots for a configuration that is about to be applied. Engines of the current one keep theirs. */
  assign(config: Config): SlotsByIdentity {
    for (const [identity, slot] of [...this.#table.identities()]) {
      const unused = !Object.hasOwn(this.#current, identity);
      // A request that started before the engine was removed may still have a lease there.
      if (unused && !this.isBusy(slot)) this.#table.release(identity);
    }
    return this.#table.assign(config);
  }

  /** The configuration with these slots has been applied. */
  use(slots: SlotsByIdentity): void {
    this.#current = slots;
  }

  closeRow(worker: number): void {
    this.#board.closeRow(worker);
    this.#shadowBoard.closeRow(worker);
    this.metrics.closeRow(worker);
    this.tenants.closeRow(worker);
    this.#zones.closeRow(worker);
  }
}
