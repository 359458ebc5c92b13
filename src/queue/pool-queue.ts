/**
 * The queue of one pool: how many requests wait and how long, the capacity they need, and who hears what. Its
 * ordering says who goes next.
 */
import type { QueueConfig } from "../config/schema/pool/queue.ts";
import type { PromptUsage } from "../dialects/shared/prompt-usage.ts";
import type { PlacementSnapshot } from "../pool/engine-snapshot.ts";
import type { Pool } from "../pool/pool.ts";
import type { CacheKnowledge, CacheSource } from "../prefix-cache/cache-knowledge.ts";
import type { Clock } from "../transport/clock.ts";
import { createOrdering } from "./orderings/registry.ts";
import type {
  Ordering,
  OrderingDeps,
  QueuedRequest,
  QueueRequest,
} from "./orderings/shared/ordering.ts";
import type { PoolCapacity } from "./pool-capacity.ts";
import { PoolEngines } from "./pool-engines.ts";
import type { QueueListener, QueueRejection, Ticket } from "./queue-service.ts";
import { QueueTicket, type TicketQueue } from "./queue-ticket.ts";

const noSnapshots: readonly PlacementSnapshot[] = [];

export class PoolQueue implements TicketQueue {
  readonly #clock: Clock;
  #pool: Pool;
  #config: QueueConfig;
  #capacity: PoolCapacity;
  #ordering: Ordering<QueueTicket>;
  readonly #engines: PoolEngines;
  /** In the last pass a request could not go for want of capacity, here or in decode. */
  #isCapacityShort = false;
  #isReleasing = false;
  #isReleaseDue = false;
  #placedCount = 0;

  constructor(pool: Pool, config: QueueConfig, capacity: PoolCapacity, clock: Clock) {
    this.#pool = pool;
    this.#config = config;
    this.#capacity = capacity;
    this.#clock = clock;
    this.#engines = new PoolEngines(pool);
    this.#ordering = this.#createOrdering();
  }

  /** Requests that wait. */
  get waitingCount(): number {
    return this.#ordering.waitingCount;
  }

  /** Requests that have an engine of the queue's choice, and are not prefilled. */
  get placedCount(): number {
    return this.#placedCount;
  }

  /** Goes on by a new configuration. Requests that wait keep their place as far as the ordering allows. */
  use(pool: Pool, config: QueueConfig, capacity: PoolCapacity): void {
    const { addresses } = this.#pool;
    const isSameEngines = pool.addresses.join() === addresses.join();
    const isSameOrder = config.order === this.#config.order;
    const indexBefore = pool.addresses.map((address) => addresses.indexOf(address));
    if (indexBefore.some((index) => index >= 0)) pool.adopt(this.#pool);
    this.#pool = pool;
    this.#engines.use(pool);
    this.#config = config;
    this.#capacity = capacity;
    if (isSameOrder && this.#ordering.reconfigure(config, isSameEngines)) return;
    const before = this.#ordering;
    this.#ordering = this.#createOrdering();
    if (isSameOrder) this.#ordering.adopt?.(before, indexBefore);
    for (const { owner, arrivedMs } of before.waiting()) this.#add(owner, arrivedMs);
  }

  /**
   * From now on engines report their caches here.
   * @param sources by the engines' index; undefined = it does not report
   */
  follow(sources: readonly (CacheSource | undefined)[]): void {
    this.#engines.follow(sources);
  }

  /** The engine's cache is empty: it has restarted. */
  forgetCache(engine: string): void {
    const index = this.#pool.addresses.indexOf(engine);
    if (index >= 0) this.#ordering.forgetCache?.(index);
  }

  /** By the engines' index; undefined = the ordering does not go by caches. */
  cacheKnowledge(): CacheKnowledge[] | undefined {
    const ordering = this.#ordering;
    if (ordering.isModelled === undefined) return undefined;
    return this.#pool.engines.map((_, engine) => {
      if (this.#engines.reportedCache(engine) !== undefined) return "exact";
      return ordering.isModelled!(engine) ? "approximate" : "blind";
    });
  }

  ticket(request: QueueRequest, listener: QueueListener): Ticket {
    return new QueueTicket(this, request, listener);
  }

  /** Lets go what can go, and rejects what has waited too long. */
  tick(): void {
    const nowMs = this.#now();
    const { timeoutMs } = this.#config;
    for (const { owner, arrivedMs } of this.#ordering.waiting()) {
      // A rejection may lead to another request's grant or end.
      if (arrivedMs > nowMs - timeoutMs || !owner.isWaiting) continue;
      this.#reject(owner, "timeout", timeoutMs);
    }
    this.#release(nowMs);
  }

  /** There may be more capacity, here or in decode. */
  capacityFreed(): void {
    if (this.#isCapacityShort) this.#release(this.#now());
  }

  /** The pool has no queue any more: all that wait go on without. */
  close(): void {
    for (const { owner } of this.#ordering.waiting()) {
      if (!owner.isWaiting) continue;
      this.#stopWaiting(owner);
      owner.listener.granted("", noSnapshots);
    }
  }

  // ---- What tickets ask ----

  enqueue(ticket: QueueTicket): void {
    const nowMs = this.#now();
    if (this.#ordering.waitingCount >= this.#config.max) {
      ticket.listener.rejected("queue-full", this.#retryAfterMs(nowMs));
      return;
    }
    ticket.isWaiting = true;
    const queued = this.#add(ticket, nowMs);
    if (this.#ordering.isOverloaded?.(queued, nowMs)) {
      const reason = this.#engines.isAnyAvailable() ? "overloaded" : "no-healthy-engine";
      this.#stopWaiting(ticket);
      ticket.listener.rejected(reason, this.#retryAfterMs(nowMs));
      return;
    }
    this.#release(nowMs);
  }

  prefillDone(ticket: QueueTicket, usage: PromptUsage): void {
    const { promptTokens } = usage;
    if (promptTokens !== undefined) this.#pool.ratio.observe(ticket.request.bytes, promptTokens);
    const nowMs = this.#now();
    if (ticket.isPlaced) {
      this.#placedCount -= 1;
      ticket.ordering!.prefillDone?.(ticket.queued!, usage, nowMs);
    }
    this.#releaseCapacity(ticket, nowMs);
  }

  releasePrefill(ticket: QueueTicket): void {
    if (ticket.isWaiting) {
      this.#stopWaiting(ticket);
      return;
    }
    if (!ticket.isReserved) return;
    if (ticket.isPlaced) {
      this.#placedCount -= 1;
      ticket.ordering!.remove(ticket.queued!, this.#now());
    }
    this.#releaseCapacity(ticket, this.#now());
  }

  releaseDecode({ request }: QueueTicket): void {
    if (request.decodePool !== "") this.#capacity.release(request.decodePool);
  }

  #createOrdering(): Ordering<QueueTicket> {
    const deps: OrderingDeps<QueueTicket> = {
      engines: this.#engines,
      hasCapacity: () => {
        const hasCapacity = this.#capacity.hasCapacity(this.#pool.name, this.#engines.wallMs);
        if (!hasCapacity) this.#isCapacityShort = true;
        return hasCapacity;
      },
      reserve: (ticket) => {
        if (!this.#capacity.reserve(ticket.pools, this.#engines.wallMs)) {
          this.#isCapacityShort = true;
          return false;
        }
        ticket.isReserved = true;
        ticket.isWaiting = false;
        return true;
      },
    };
    return createOrdering(this.#config, deps);
  }

  #add(ticket: QueueTicket, arrivedMs: number): QueuedRequest<QueueTicket> {
    const queued = this.#ordering.add(ticket.request, ticket, arrivedMs);
    ticket.queued = queued;
    ticket.ordering = this.#ordering;
    return queued;
  }

  #now(): number {
    this.#engines.wallMs = this.#clock.wallMs();
    return this.#clock.nowMs();
  }

  #retryAfterMs(nowMs: number): number {
    const waitMs = this.#ordering.expectedWaitMs(nowMs);
    return Number.isFinite(waitMs) ? waitMs : 0;
  }

  #stopWaiting(ticket: QueueTicket): void {
    ticket.isWaiting = false;
    ticket.ordering!.remove(ticket.queued!, this.#now());
  }

  #reject(ticket: QueueTicket, reason: QueueRejection, retryAfterMs: number): void {
    this.#stopWaiting(ticket);
    ticket.listener.rejected(reason, retryAfterMs);
  }

  /** The ticket's place in this pool is the next one's. */
  #releaseCapacity({ request }: QueueTicket, nowMs: number): void {
    // One pass is enough, which is the last line's: it sees what the release frees.
    this.#isCapacityShort = false;
    this.#capacity.release(request.pool);
    this.#release(nowMs);
  }

  /**
   * Passes over the queue until nothing more can go. A request that is granted may end at once, and so free capacity or
   * enqueue again: this asks for another pass, and never for one within a pass.
   */
  #release(nowMs: number): void {
    this.#isReleaseDue = true;
    if (this.#isReleasing) return;
    this.#isReleasing = true;
    const failures: unknown[] = [];
    try {
      while (this.#isReleaseDue) {
        this.#isReleaseDue = false;
        this.#isCapacityShort = false;
        this.#releaseOnce(nowMs, failures);
      }
    } finally {
      this.#isReleasing = false;
    }
    if (failures.length > 0) throw failures[0];
  }

  /** A listener that throws keeps nothing from the others. */
  #releaseOnce(nowMs: number, failures: unknown[]): void {
    const ordering = this.#ordering;
    if (ordering.waitingCount === 0) return;
    if (!this.#engines.isAnyAvailable()) {
      for (const { owner } of ordering.waiting()) {
        if (owner.isWaiting) attempt(failures, () => this.#reject(owner, "no-healthy-engine", 0));
      }
      return;
    }
    const released = ordering.release(nowMs);
    for (const { engine } of released) if (engine >= 0) this.#placedCount += 1;
    for (const { owner, engine, placementOptions } of released) {
      // Another one's grant may have led to this one's end.
      if (owner.isOver) continue;
      const nameOf = (index: number) => this.#pool.engines[index]!.name;
      attempt(failures, () =>
        owner.listener.granted(
          engine < 0 ? "" : nameOf(engine),
          placementOptions.length === 0
            ? noSnapshots
            : placementOptions.map((one) => ({ ...one, engine: nameOf(one.engine) })),
        ),
      );
    }
  }
}

function attempt(failures: unknown[], call: () => void): void {
  try {
    call();
  } catch (error) {
    failures.push(error);
  }
}
