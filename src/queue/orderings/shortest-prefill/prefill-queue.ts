/**
 * Prompts that wait for prefill engines. The next is the one with the shortest predicted prefill, less a share of the
 * time that it has waited; `prefill-placement.ts` says where it goes. If that engine is busy it waits on: the cache
 * that it waits for is worth more than an idle engine.
 *
 * Nothing starves: no prompt that comes more than `(P + priority + fairness) / aging` ms after another overtakes it in
 * the queue, with P ms the shortest predicted prefill of the other; and, while the other waits for a cache, none
 * overtakes it at any engine that comes later than that with P its whole prefill.
 */
import { PrefillBatches } from "../../../estimates/prefill-batches.ts";
import type { EngineView } from "../shared/ordering.ts";
import { TenantShares } from "../shared/tenant-shares.ts";
import { EngineWaits, idleMax } from "./engine-waits.ts";
import { type PlacementOptions, PrefillPlacement } from "./prefill-placement.ts";
import { moveForward, type Prompt, QueuedPrompt } from "./queued-prompt.ts";

/** Prompts that are looked at for a batch once no engine is idle. */
const joinsMax = 32;
/**
 * How many waiting prompts one pass places. The first are compared with all engines, the others with where they waited
 * before and with idle engines. As many are sorted anew, since new cache entries move a prompt forward. More engines
 * mean more passes, so prompts times engines are at most this.
 */
const placedMax = 128;
const comparedMax = 256;

export interface PrefillQueueOptions extends PlacementOptions {
  /** What one ms of waiting takes off the predicted ms of a prefill. */
  readonly agingFactor: number;
  /** Most that a tenant which has had more than its share is put back, in predicted ms. */
  readonly fairnessMs: number;
}

export class PrefillQueue<Owner = unknown> {
  readonly #engines: EngineView;
  readonly #options: PrefillQueueOptions;
  readonly #reserve: (owner: Owner) => boolean;
  readonly #placement: PrefillPlacement;
  readonly #batches: PrefillBatches;
  readonly #waits: EngineWaits;
  readonly #tenants = new TenantShares();
  /** In the order of their keys. */
  #waiting: QueuedPrompt<Owner>[] = [];
  /** Prompts that are compared with all engines in one pass. */
  readonly #comparedMax: number;
  /** The next that is to be put in order anew, beside the first ones. */
  #rankAt = 0;

  /** @param reserve takes capacity for a prompt in its pool and in decode; false = there is none */
  constructor(
    options: PrefillQueueOptions,
    engines: EngineView,
    reserve: (owner: Owner) => boolean,
  ) {
    const { size } = engines;
    this.#engines = engines;
    this.#options = options;
    this.#reserve = reserve;
    this.#comparedMax = Math.min(placedMax, Math.ceil(comparedMax / size));
    this.#placement = new PrefillPlacement(size, options, engines);
    this.#batches = new PrefillBatches(size);
    this.#waits = new EngineWaits(engines, this.#placement, this.#batches);
  }

  get waitingCount(): number {
    return this.#waiting.length;
  }

  /** A copy, as they are now, the first ones first. */
  waiting(): QueuedPrompt<Owner>[] {
    return [...this.#waiting];
  }

  /**
   * Goes on with what another queue has learned of its engines.
   * @param indexBefore for each engine of this queue, its index in the other one; -1 = it is new
   */
  adopt(before: PrefillQueue<Owner>, indexBefore: readonly number[]): void {
    indexBefore.forEach((from, engine) => {
      if (from < 0) return;
      this.#placement.adopt(engine, before.#placement, from);
      this.#batches.adopt(engine, before.#batches, from);
    });
  }

  /** Nothing of what was sent to the engine is in its cache any more. */
  forget(engine: number): void {
    this.#placement.hits.forget(engine);
  }

  /** Whether anything that was sent to the engine is believed to be in its cache. */
  isModelled(engine: number): boolean {
    return this.#placement.hits.size(engine) > 0;
  }

  add(prompt: Prompt, arrivedMs: number, owner: Owner): QueuedPrompt<Owner> {
    const queued = new QueuedPrompt(prompt, arrivedMs, owner);
    this.#tenants.add(prompt.tenant);
    this.#rank(queued, this.#tenants.compare());
    this.#waiting.push(queued);
    moveForward(this.#waiting, this.#waiting.length - 1);
    return queued;
  }

  /** The client has gone, a deadline has passed, or its engine has failed. */
  remove(queued: QueuedPrompt<Owner>, nowMs: number): void {
    if (queued.engine >= 0) {
      this.#placement.gaveUp(queued, nowMs, this.#batches.open(queued.engine) === 1);
      this.#batches.drop(queued.engine, queued);
      return;
    }
    const at = this.#waiting.indexOf(queued);
    if (at < 0) return;
    this.#placement.hits.release(queued);
    this.#waiting.splice(at, 1);
    this.#tenants.remove(queued.prompt.tenant, 0);
  }

  /** The prefill is done. @param cachedTokens as the engine reports them; undefined = it does not */
  done(queued: QueuedPrompt<Owner>, cachedTokens: number | undefined, nowMs: number): void {
    const { engine, prompt } = queued;
    const { tokens, blockTokens } = prompt;
    if (engine < 0) return;
    const ended = this.#batches.done(engine, queued, nowMs);
    // Of several prompts at once nobody knows which took how long.
    if (ended?.size === 1) {
      const cached = cachedTokens ?? tokens - queued.uncachedTokens;
      this.#placement.cost.observe(engine, Math.max(1, tokens - cached), tokens, ended.tookMs);
    }
    const reported = cachedTokens === undefined ? undefined : Math.ceil(cachedTokens / blockTokens);
    this.#placement.hits.computed(queued, engine, reported);
  }

  /** Until a prompt would be sent that stands behind all that wait, in ms; infinite = there is no engine. */
  expectedWaitMs(nowMs: number): number {
    let aheadMs = 0;
    for (const queued of this.#waiting) aheadMs += queued.leastMs;
    return this.#waits.startsInMs(aheadMs, nowMs);
  }

  /**
   * From now until the end of its prefill, in ms, as long as nothing comes that goes before it; infinite = there is no
   * engine.
   */
  expectedTtft(
    queued: QueuedPrompt<Owner>,
    nowMs: number,
  ): { readonly waitMs: number; readonly ms: number } {
    let aheadMs = 0;
    for (const before of this.#waiting) {
      if (before === queued) break;
      aheadMs += before.leastMs;
    }
    const waitMs = this.#waits.startsInMs(aheadMs, nowMs);
    return { waitMs, ms: waitMs + queued.leastMs };
  }

  /** Those that are to be sent now; `engine` of each says where. */
  release(nowMs: number): QueuedPrompt<Owner>[] {
    const released: QueuedPrompt<Owner>[] = [];
    if (this.#waiting.length === 0) return released;
    const available = this.#waits.refresh(nowMs);
    let idle = this.#waits.idleCount;
    if (idle === 0) return released;
    this.#order(this.#tenants.compare());
    this.#placement.startPass(this.#waiting.length, available);
    // Batches of this pass that may have room for more.
    let joinable = 0;
    let joins = joinsMax;
    const placed = Math.min(placedMax, this.#waiting.length);
    for (let i = 0; i < placed; i += 1) {
      const queued = this.#waiting[i]!;
      if (queued.engine >= 0) continue;
      const engine = this.#place(queued, i);
      const open = this.#batches.open(engine);
      const couldJoin = open > 0 && this.#batches.isJoinable(engine);
      const late = open === 0 || couldJoin ? this.#overtakenBy(queued, i, engine) : undefined;
      if (late !== undefined && open === 0 && this.#send(late, engine, nowMs)) {
        idle -= 1;
        joinable += 1;
        released.push(late);
        // The turn of the other one comes again.
        i -= 1;
        continue;
      }
      const uncached = this.#placement.uncached(queued, engine);
      const takes = late === undefined && this.#batches.takes(engine, uncached);
      if (couldJoin && !takes) joinable -= 1;
      if (takes && this.#send(queued, engine, nowMs)) {
        if (open === 0) {
          idle -= 1;
          joinable += 1;
        }
        released.push(queued);
      } else {
        // Those behind it reckon with it, also while it waits.
        queued.endsInMs = this.#placement.add(queued, engine);
      }
      // From now on a prompt needs a batch to join, or an engine that is idle.
      if (idle === 0) joins -= 1;
      if (joins === 0 || (idle === 0 && joinable === 0)) break;
    }
    if (idle > 0) this.#sendToUnwanted(idle, nowMs, released);
    this.#batches.closeAll();
    if (released.length > 0) this.#waiting = this.#waiting.filter(({ engine }) => engine < 0);
    return released;
  }

  /**
   * The first of those before it that waits for its cache, though this one came later than the other's bound allows.
   */
  #overtakenBy(queued: QueuedPrompt, at: number, engine: number): QueuedPrompt<Owner> | undefined {
    const { agingFactor } = this.#options;
    for (let i = 0; i < at; i += 1) {
      const before = this.#waiting[i]!;
      const aheadMs = (queued.arrivedMs - before.arrivedMs) * agingFactor;
      if (aheadMs <= before.leastMs || before.engine >= 0) continue;
      if (aheadMs <= this.#placement.wholeMs(before)) continue;
      if (this.#placement.usable(before)[engine] === 1) return before;
    }
    return undefined;
  }

  /**
   * Engines may be idle while all that wait want others for their caches. A prompt that ends earlier at such an engine
   * than where it waits goes there: otherwise only the engines of a prefix that all prompts share would work.
   */
  #sendToUnwanted(idle: number, nowMs: number, released: QueuedPrompt<Owner>[]): void {
    const placed = Math.min(this.#comparedMax, this.#waiting.length);
    let left = idle;
    for (let i = 0; i < placed && left > 0; i += 1) {
      const queued = this.#waiting[i]!;
      if (queued.engine >= 0) continue;
      const engine = this.#placement.bestUnwanted(queued, (one) => this.#batches.open(one) === 0);
      if (engine < 0 || this.#overtakenBy(queued, i, engine) !== undefined) continue;
      if (!this.#send(queued, engine, nowMs)) continue;
      left -= 1;
      released.push(queued);
    }
  }

  /** Where it is to go, or to wait. */
  #place(queued: QueuedPrompt<Owner>, at: number): number {
    const placement = this.#placement;
    const { target } = queued;
    const isFirst = at < this.#comparedMax || target < 0 || placement.usable(queued)[target] === 0;
    const { idle, idleCount } = this.#waits;
    let engine = isFirst
      ? placement.best(queued)
      : placement.bestOf(queued, idle, Math.min(idleMax, idleCount));
    // What it had of the prompt may have been evicted.
    if (this.#batches.open(engine) === 0 && placement.hits.check(queued, engine))
      engine = placement.best(queued);
    queued.target = engine;
    return engine;
  }

  /** False = there is no capacity, here or in decode. */
  #send(queued: QueuedPrompt<Owner>, engine: number, nowMs: number): boolean {
    const placement = this.#placement;
    const open = this.#batches.open(engine);
    if (!this.#engines.hasCapacity(engine, open) || !this.#reserve(queued.owner)) return false;
    if (queued.prompt.explains) queued.placementOptions = placement.explain(queued, engine);
    queued.engine = engine;
    queued.sentMs = nowMs;
    queued.predictedMs = placement.predict(queued, engine);
    queued.uncachedTokens = placement.uncached(queued, engine);
    // If it joins others, nobody knows what was there before them.
    queued.believedBlocks = open > 0 ? -1 : placement.hits.believedBlocks(queued, engine);
    this.#batches.send(engine, queued, nowMs);
    placement.add(queued, engine);
    placement.hits.sent(queued, engine);
    placement.hits.release(queued);
    this.#tenants.remove(queued.prompt.tenant, queued.predictedMs, queued.prompt.weight);
    return true;
  }

  #order(isShared: boolean): void {
    const waiting = this.#waiting;
    const first = Math.min(this.#comparedMax, waiting.length);
    for (let i = 0; i < first; i += 1) this.#rank(waiting[i]!, isShared);
    for (let i = 0; i < Math.ceil(this.#comparedMax / 4) && waiting.length > first; i += 1) {
      if (this.#rankAt < first || this.#rankAt >= waiting.length) this.#rankAt = first;
      this.#rank(waiting[this.#rankAt]!, isShared);
      this.#rankAt += 1;
    }
    // They are in order but for the few whose key has changed, so this is nearly one pass: half of what a sort takes
    // with 30 prompts.
    for (let i = 1; i < waiting.length; i += 1) moveForward(waiting, i);
  }

  #rank(queued: QueuedPrompt, isShared: boolean): void {
    const { agingFactor, fairnessMs } = this.#options;
    const { tenant, advanceMs } = queued.prompt;
    const lead = isShared ? Math.min(fairnessMs, this.#tenants.leadMs(tenant)) : 0;
    this.#placement.look(queued);
    // What has waited longer has come earlier: but for caches and tenants, the key is the same at all times.
    queued.key = queued.leastMs + agingFactor * queued.arrivedMs + lead - advanceMs;
  }
}
