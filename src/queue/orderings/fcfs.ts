/**
 * First come, first served: requests wait until the pool has capacity, in the order in which they came but for
 * priorities and tenants.
 */
import { PrefillCost } from "../../estimates/prefill-cost.ts";
import { usualBytesPerToken } from "../../estimates/token-ratio.ts";
import {
  boundedPriority,
  defineOrdering,
  type Ordering,
  type OrderingDeps,
  type PlacementOption,
  type QueuedRequest,
  type QueueRequest,
  type SharedOptions,
} from "./shared/ordering.ts";
import { TenantShares } from "./shared/tenant-shares.ts";

export const fcfs = defineOrdering({
  name: "fcfs",
  summary:
    "First come, first served: requests wait while all engines have `maxConns` requests, " +
    "then the pool's policy picks. Nobody is overtaken by a request that comes later than " +
    "the bounds of priority and fairness together.",
  places: false,
  timeoutMs: 60_000,
  options: {},
  create: (deps, options) => new Fcfs(deps, options),
});

/** When another try may be worth it. Nobody knows how long requests will take, so soon. */
const retryMs = 1_000;
const noOptions: readonly PlacementOption[] = [];

interface Waiting<Owner> extends QueuedRequest<Owner> {
  readonly request: QueueRequest;
  /** When it came, moved by its priority. */
  readonly key: number;
}

class Fcfs<Owner> implements Ordering<Owner> {
  readonly #deps: OrderingDeps<Owner>;
  readonly #tenants = new TenantShares();
  /** What a prompt counts for its tenant, as if it was sent to an idle engine. */
  readonly #cost = new PrefillCost(1);
  /** In the order of their keys. */
  readonly #waiting: Waiting<Owner>[] = [];
  #options: SharedOptions;

  constructor(deps: OrderingDeps<Owner>, options: SharedOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  get waitingCount(): number {
    return this.#waiting.length;
  }

  waiting(): QueuedRequest<Owner>[] {
    return [...this.#waiting];
  }

  reconfigure(options: SharedOptions): boolean {
    this.#options = options;
    return true;
  }

  add(request: QueueRequest, owner: Owner, arrivedMs: number): QueuedRequest<Owner> {
    const key = arrivedMs + boundedPriority(request.priority) * this.#options.priorityMs;
    const queued = { owner, arrivedMs, engine: -1, placementOptions: noOptions, request, key };
    this.#tenants.add(request.tenant);
    let at = this.#waiting.length;
    while (at > 0 && this.#waiting[at - 1]!.key > key) at -= 1;
    this.#waiting.splice(at, 0, queued);
    return queued;
  }

  remove(queued: QueuedRequest<Owner>): void {
    this.#drop(queued, false);
  }

  release(): readonly QueuedRequest<Owner>[] {
    const released: QueuedRequest<Owner>[] = [];
    while (this.#waiting.length > 0 && this.#deps.hasCapacity()) {
      const next = this.#first();
      if (!this.#deps.reserve(next.owner)) break;
      this.#drop(next, true);
      released.push(next);
    }
    return released;
  }

  expectedWaitMs(): number {
    return retryMs;
  }

  /** The one with the lowest key, to which is added what its tenant has had more than others. */
  #first(): Waiting<Owner> {
    let first = this.#waiting[0]!;
    if (!this.#tenants.compare()) return first;
    let lowest = Number.POSITIVE_INFINITY;
    for (const queued of this.#waiting) {
      const leadMs = this.#tenants.leadMs(queued.request.tenant);
      const key = queued.key + Math.min(this.#options.fairnessMs, leadMs);
      if (key >= lowest) continue;
      lowest = key;
      first = queued;
    }
    return first;
  }

  #drop(queued: QueuedRequest<Owner>, isServed: boolean): void {
    const at = this.#waiting.indexOf(queued as Waiting<Owner>);
    if (at < 0) return;
    const [{ request }] = this.#waiting.splice(at, 1) as [Waiting<Owner>];
    const tokens = Math.max(1, request.bytes / usualBytesPerToken);
    const servedMs = isServed ? this.#cost.predict(0, tokens, tokens) : 0;
    this.#tenants.remove(request.tenant, servedMs, request.weight);
  }
}
