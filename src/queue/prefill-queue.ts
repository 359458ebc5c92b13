/**
 * Prompts that are held at the proxy until an engine can take them. The next is the one with the shortest predicted prefill, less a
 * share of the time that it has waited; where it goes, `held-places.ts` says. It waits on where that engine is busy: the cache that it waits for is
 * worth more than an idle engine.
 *
 * Nothing starves: a prompt is overtaken in the queue by none that came more than `(P + priority + fairness) / aging` ms after it, with P ms its
 * shortest predicted prefill; and, while it waits for a cache, at no engine by one that came later than that with P its whole prefill.
 */

import { PrefillBatches } from "../estimates/prefill-batches.ts";
import type { ReportedPrefixCache } from "../prefix-cache/reported-prefix-cache.ts";
import { type PlacesOptions, PrefillPlacement } from "./prefill-placement.ts";
import { moveForward, type Prompt, QueuedPrompt } from "./queued-prompt.ts";
import { TenantShares } from "./tenant-shares.ts";

/** Prompts that are looked at for a batch once no engine is idle. */
const joinsMax = 32;
/**
 * Of the many that may wait, so many are placed in one pass. The first are compared with all engines, and the others with where they waited before and with
 * engines that are idle; as many are put in order anew, for what becomes cached moves a prompt forward. The more engines there are, the fewer of
 * them, as passes are the more often: prompts times engines are at most this.
 */
const placedMax = 128;
const comparedMax = 256;
/** Engines whose state is asked for in one pass: of more, in turn. */
const askedMax = 64;
/** Idle engines that those behind the first are compared with. */
const idleMax = 8;

export interface PrefillQueueOptions extends PlacesOptions {
  /** What one ms of waiting takes off the predicted ms of a prefill. */
  readonly agingFactor: number;
  /** Most that a tenant which has had more than its share is put back, in predicted ms. */
  readonly fairnessMs: number;
}

/** The engines as they are now, by their number. */
export interface EngineStates<P extends Prompt> {
  /** Takes requests at all. */
  isAvailable(engine: number): boolean;
  /** Whether there is room for one more. @param open sent from here and not done */
  hasCapacity(engine: number, open: number): boolean;
  /** Requests at the engine that did not come through this queue. */
  others(engine: number, open: number): number;
  /** What the engine has in its cache, by its own word; undefined = it is not known so well. */
  exact(engine: number): ReportedPrefixCache | undefined;
  /** Whether what follows the prefill has room for it, too; where so, it has taken that. */
  admit(held: QueuedPrompt<P>): boolean;
}

export class PrefillQueue<P extends Prompt = Prompt> {
  readonly #engines: number;
  readonly #options: PrefillQueueOptions;
  readonly #states: EngineStates<P>;
  readonly #places: PrefillPlacement;
  readonly #batches: PrefillBatches;
  readonly #tenants = new TenantShares();
  /** In the order of their keys. */
  #held: QueuedPrompt<P>[] = [];
  /** Prompts that are compared with all engines in one pass. */
  readonly #comparedMax: number;
  /** Engines that are fit and idle, as far as there is room for them; and how many there are. */
  readonly #idle = new Int32Array(idleMax);
  #idleCount = 0;
  /** Predicted ms of what others have at each engine. */
  readonly #othersMs: Float64Array;
  /** The engine that was asked about last, and whether all were. */
  #askAt = -1;
  #isAsked = false;
  /** The next that is to be put in order anew, beside the first ones. */
  #rankAt = 0;

  constructor(engines: number, options: PrefillQueueOptions, states: EngineStates<P>) {
    this.#engines = engines;
    this.#comparedMax = Math.min(placedMax, Math.ceil(comparedMax / engines));
    this.#options = options;
    this.#states = states;
    this.#places = new PrefillPlacement(engines, options, (engine) => states.exact(engine));
    this.#batches = new PrefillBatches(engines);
    this.#othersMs = new Float64Array(engines);
  }

  get queuedCount(): number {
    return this.#held.length;
  }

  /** As they are now, the first ones first. */
  held(): QueuedPrompt<P>[] {
    return [...this.#held];
  }

  /**
   * Goes on with what another queue has learnt of its engines. @param others for each engine of this queue, the number that it had in the
   * other one; -1 = it is new
   */
  adopt(other: PrefillQueue<P>, others: readonly number[]): void {
    others.forEach((from, engine) => {
      if (from < 0) return;
      this.#places.adopt(engine, other.#places, from);
      this.#batches.adopt(engine, other.#batches, from);
    });
  }

  /** Nothing of what was sent to the engine is there any more. */
  forget(engine: number): void {
    this.#places.hits.forget(engine);
  }

  /** Whether there is anything of what was sent to the engine that is believed to be there. */
  isModelled(engine: number): boolean {
    return this.#places.hits.size(engine) > 0;
  }

  /** Those that have an engine and are not done. */
  get openCount(): number {
    let count = 0;
    for (let engine = 0; engine < this.#engines; engine += 1) count += this.#batches.open(engine);
    return count;
  }

  add(prompt: P, nowMs: number): QueuedPrompt<P> {
    const held = new QueuedPrompt<P>(prompt, nowMs);
    this.#tenants.add(prompt.tenant);
    this.#rank(held, this.#tenants.compare());
    this.#held.push(held);
    moveForward(this.#held, this.#held.length - 1);
    return held;
  }

  /** The client has gone, a deadline is over, or its engine has failed. */
  remove(held: QueuedPrompt<P>): void {
    if (held.engine >= 0) {
      this.#batches.drop(held.engine, held);
      this.#places.hits.dropped(held, held.engine);
      return;
    }
    const at = this.#held.indexOf(held);
    if (at < 0) return;
    this.#places.hits.release(held);
    this.#held.splice(at, 1);
    this.#tenants.remove(held.prompt.tenant, 0);
  }

  /** The prefill is done. @param cachedTokens as the engine reports them; undefined = it does not */
  done(held: QueuedPrompt<P>, cachedTokens: number | undefined, nowMs: number): void {
    const { engine, prompt } = held;
    const { tokens, blockTokens } = prompt;
    if (engine < 0) return;
    const ended = this.#batches.done(engine, held, nowMs);
    // Of several prompts at once nobody knows which took how long.
    if (ended?.size === 1) {
      const cached = cachedTokens ?? tokens - held.uncachedTokens;
      this.#places.cost.observe(engine, Math.max(1, tokens - cached), tokens, ended.tookMs);
    }
    const reported = cachedTokens === undefined ? undefined : Math.ceil(cachedTokens / blockTokens);
    this.#places.hits.computed(held, engine, reported);
  }

  /** Until one would be sent that goes behind all that wait, in ms; infinite = there is no engine. */
  expectedWaitMs(nowMs: number): number {
    let aheadMs = 0;
    for (const held of this.#held) aheadMs += held.leastMs;
    return this.#startsInMs(aheadMs, nowMs);
  }

  /** From now until the end of its prefill, in ms, as long as nothing comes that goes before it; infinite = there is no engine. */
  expectedTtft(
    held: QueuedPrompt<P>,
    nowMs: number,
  ): { readonly waitMs: number; readonly ms: number } {
    let aheadMs = 0;
    for (const before of this.#held) {
      if (before === held) break;
      aheadMs += before.leastMs;
    }
    const waitMs = this.#startsInMs(aheadMs, nowMs);
    return { waitMs, ms: waitMs + held.leastMs };
  }

  /** When an engine is free for the next, once all have done so much more, of which the one that is free soonest always takes some. */
  #startsInMs(workMs: number, nowMs: number): number {
    const fit = this.#refresh(nowMs);
    const { isAvailable, waitMs } = this.#places;
    const waits = waitMs.filter((_, engine) => isAvailable[engine] === 1).sort();
    let sumMs = 0;
    for (let count = 1; count < fit; count += 1) {
      sumMs += waits[count - 1]!;
      // Those that are free by then have room for the work before the next one is.
      if (waits[count]! * count - sumMs >= workMs) return (workMs + sumMs) / count;
    }
    return fit === 0 ? Number.POSITIVE_INFINITY : (workMs + sumMs + waits[fit - 1]!) / fit;
  }

  /** What is to be sent now; `engine` of each says where. */
  release(nowMs: number): QueuedPrompt<P>[] {
    const released: QueuedPrompt<P>[] = [];
    if (this.#held.length === 0) return released;
    const fit = this.#refresh(nowMs);
    let idle = this.#idleCount;
    if (idle === 0) return released;
    this.#order(this.#tenants.compare());
    this.#places.begin(this.#held.length, fit);
    // Batches of this pass that may have room for more.
    let joinable = 0;
    let joins = joinsMax;
    const placed = Math.min(placedMax, this.#held.length);
    for (let i = 0; i < placed; i += 1) {
      const held = this.#held[i]!;
      if (held.engine >= 0) continue;
      const engine = this.#place(held, i);
      const open = this.#batches.open(engine);
      const couldJoin = open > 0 && this.#batches.isJoinable(engine);
      const late = open === 0 || couldJoin ? this.#overtakenBy(held, i) : undefined;
      if (late !== undefined && open === 0 && this.#send(late, engine, nowMs)) {
        idle -= 1;
        joinable += 1;
        released.push(late);
        // The turn of the other one comes again.
        i -= 1;
        continue;
      }
      const uncached = this.#places.uncached(held, engine);
      const takes = late === undefined && this.#batches.takes(engine, uncached);
      if (couldJoin && !takes) joinable -= 1;
      if (takes && this.#send(held, engine, nowMs)) {
        if (open === 0) {
          idle -= 1;
          joinable += 1;
        }
        released.push(held);
      } else {
        // Those behind it reckon with it, also while it waits.
        held.endsInMs = this.#places.add(held, engine);
      }
      // What goes now has a batch to join, or an engine to itself.
      if (idle === 0) joins -= 1;
      if (joins === 0 || (idle === 0 && joinable === 0)) break;
    }
    if (idle > 0) this.#sendToUnwanted(idle, nowMs, released);
    this.#batches.closeAll();
    if (released.length > 0) this.#held = this.#held.filter(({ engine }) => engine < 0);
    return released;
  }

  /** The first of those before it that waits on, for its cache, though this one came later than the other's bound allows. */
  #overtakenBy(held: QueuedPrompt, at: number): QueuedPrompt<P> | undefined {
    const { agingFactor } = this.#options;
    for (let i = 0; i < at; i += 1) {
      const before = this.#held[i]!;
      const aheadMs = (held.arrivedMs - before.arrivedMs) * agingFactor;
      if (aheadMs <= before.leastMs || before.engine >= 0) continue;
      if (aheadMs > this.#places.wholeMs(before)) return before;
    }
    return undefined;
  }

  /**
   * Engines may be idle while all that wait want others for their caches. What ends earlier at such an engine than where it waits goes there: else the
   * engines of a prefix that all prompts share would be the only ones to work.
   */
  #sendToUnwanted(idle: number, nowMs: number, released: QueuedPrompt<P>[]): void {
    const placed = Math.min(this.#comparedMax, this.#held.length);
    let left = idle;
    for (let i = 0; i < placed && left > 0; i += 1) {
      const held = this.#held[i]!;
      if (held.engine >= 0 || this.#overtakenBy(held, i) !== undefined) continue;
      const isUnwanted = (one: number) => this.#batches.open(one) === 0;
      const engine = this.#places.bestUnwanted(held, isUnwanted);
      if (engine < 0 || !this.#send(held, engine, nowMs)) continue;
      left -= 1;
      released.push(held);
    }
  }

  /** Where it is to go, or to wait. */
  #place(held: QueuedPrompt<P>, at: number): number {
    const places = this.#places;
    const { target } = held;
    const isFirst = at < this.#comparedMax || target < 0 || places.isAvailable[target] === 0;
    let engine = isFirst
      ? places.best(held)
      : places.bestOf(held, this.#idle, Math.min(idleMax, this.#idleCount));
    // What it had of the prompt may have been evicted.
    if (this.#batches.open(engine) === 0 && places.hits.check(held, engine))
      engine = places.best(held);
    held.target = engine;
    return engine;
  }

  /**
   * Predicted waits at the engines that are fit; how many are. A batch that takes longer than predicted is expected to take as long again as it is
   * late: one that hangs must not look as if it ended at any moment.
   */
  #refresh(nowMs: number): number {
    this.#ask();
    const { isAvailable, waitMs } = this.#places;
    const { endsMs } = this.#batches;
    const othersMs = this.#othersMs;
    let fit = 0;
    let idle = 0;
    for (let engine = 0; engine < this.#engines; engine += 1) {
      if (isAvailable[engine] === 0) continue;
      fit += 1;
      const ends = endsMs[engine]!;
      if (ends < 0) {
        if (idle < idleMax) this.#idle[idle] = engine;
        idle += 1;
        waitMs[engine] = othersMs[engine]!;
      } else waitMs[engine] = Math.abs(ends - nowMs) + othersMs[engine]!;
    }
    this.#idleCount = idle;
    return fit;
  }

  /** What others know of the engines: of some in each pass, in turn, for that costs more than all the rest. */
  #ask(): void {
    const places = this.#places;
    const count = Math.min(this.#engines, this.#isAsked ? askedMax : this.#engines);
    this.#isAsked = true;
    for (let i = 0; i < count; i += 1) {
      this.#askAt = this.#askAt + 1 < this.#engines ? this.#askAt + 1 : 0;
      const engine = this.#askAt;
      const isAvailable = this.#states.isAvailable(engine);
      places.isAvailable[engine] = isAvailable ? 1 : 0;
      if (!isAvailable) continue;
      places.hits.checkReported(engine);
      const others = this.#states.others(engine, this.#batches.open(engine));
      this.#othersMs[engine] = others * places.cost.typicalMs(engine);
    }
  }

  /** False = there is no room, or none for what follows. */
  #send(held: QueuedPrompt<P>, engine: number, nowMs: number): boolean {
    const open = this.#batches.open(engine);
    if (!this.#states.hasCapacity(engine, open) || !this.#states.admit(held)) return false;
    if (held.prompt.explains) held.seen = this.#places.explain(held, engine);
    held.engine = engine;
    held.predictedMs = this.#places.predict(held, engine);
    held.uncachedTokens = this.#places.uncached(held, engine);
    // Of a prompt that joins others it is not known what was there before them.
    held.believedBlocks = open > 0 ? -1 : this.#places.hits.believedBlocks(held, engine);
    this.#batches.send(engine, held, nowMs);
    this.#places.add(held, engine);
    this.#places.hits.sent(held, engine);
    this.#places.hits.release(held);
    this.#tenants.remove(held.prompt.tenant, held.predictedMs);
    return true;
  }

  #order(isShared: boolean): void {
    const held = this.#held;
    const first = Math.min(this.#comparedMax, held.length);
    for (let i = 0; i < first; i += 1) this.#rank(held[i]!, isShared);
    for (let i = 0; i < Math.ceil(this.#comparedMax / 4) && held.length > first; i += 1) {
      if (this.#rankAt < first || this.#rankAt >= held.length) this.#rankAt = first;
      this.#rank(held[this.#rankAt]!, isShared);
      this.#rankAt += 1;
    }
    // In order but for the few whose key has changed, so that this is nearly one pass: half of what a sort takes with 30 prompts.
    for (let i = 1; i < held.length; i += 1) moveForward(held, i);
  }

  #rank(held: QueuedPrompt, isShared: boolean): void {
    const { agingFactor, fairnessMs } = this.#options;
    const { tenant, advanceMs } = held.prompt;
    const lead = isShared ? Math.min(fairnessMs, this.#tenants.leadMs(tenant)) : 0;
    this.#places.look(held);
    // What has waited longer has come earlier: but for caches and tenants, the key is the same at all times.
    held.key = held.leastMs + agingFactor * held.arrivedMs + lead - advanceMs;
  }
}
