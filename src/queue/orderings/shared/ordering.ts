/**
 * The interface of an ordering: which of the requests that wait in a pool's queue go next, and when. One small file
 * each in `queue/orderings/`.
 */
import type { PromptUsage } from "../../../dialects/shared/prompt-usage.ts";
import type { OptionShape, ValuesOf } from "../../../policies/shared/options.ts";
import type { ReportedPrefixCache } from "../../../prefix-cache/reported-prefix-cache.ts";

/** What says who goes first. */
export interface QueuePlace {
  /** Lower goes earlier; 0 = as usual. */
  readonly priority: number;
  readonly tenant: string;
  /** Of the tenant: the multiple of the others' share that it gets. */
  readonly weight: number;
}

/** A request, as far as its place in a queue depends on it. Plain data: it crosses threads. */
export interface QueueRequest extends QueuePlace {
  /**
   * Names of the pool in whose queue it waits, which prefills or serves the whole request, and of the pool that decodes
   * after that; "" = none, or one whose capacity is not waited for.
   */
  readonly pool: string;
  readonly decodePool: string;
  /** As engines call it; "" = any of the pool's engines may serve the request. */
  readonly model: string;
  /** Of the prompt in the request's body. */
  readonly bytes: number;
  /** Hashes of the prompt's blocks of `promptBlockBytes`, each of the whole prefix up to its end; empty = not known. */
  readonly blocks: readonly number[];
  /** The prompt as an engine has tokenised it; undefined = not known. */
  readonly tokenIds?: Int32Array | undefined;
  /** Whether somebody may ask why its engine was chosen. */
  readonly explains: boolean;
}

/** What spoke for an engine when a prompt was placed. */
export interface PlacementOption {
  /** Index of the engine in the pool. */
  readonly engine: number;
  readonly waitMs: number;
  readonly uncachedTokens: number;
  readonly prefillMs: number;
  readonly score: number;
}

/** A request in an ordering. @template Owner who waits: the ordering hands it back, and reads nothing of it */
export interface QueuedRequest<Owner> {
  readonly owner: Owner;
  /** On the monotonic clock. */
  readonly arrivedMs: number;
  /** Index of the engine that it was sent to; -1 = it waits, or the pool's policy picks. */
  readonly engine: number;
  /** The engines that came closest, if the request asks; empty = it does not. */
  readonly placementOptions: readonly PlacementOption[];
}

/** The engines of the pool as they are now, by their index. */
export interface EngineView {
  readonly size: number;
  /** Takes requests at all. */
  isAvailable(engine: number): boolean;
  /**
   * Whether there is capacity for one more.
   * @param open requests that were sent there from this queue and are not done
   */
  hasCapacity(engine: number, open: number): boolean;
  /** By the engines' index: 0 = it does not serve the model. Undefined = all may. */
  holders(model: string): ArrayLike<number> | undefined;
  /** Requests at the engine that did not come through this queue. */
  otherRequests(engine: number, open: number): number;
  /** Share of its load that the engine is to have now: below 1 in slow start. */
  share(engine: number): number;
  /** What the engine reports of its cache; undefined = not known so well. */
  reportedCache(engine: number): ReportedPrefixCache | undefined;
  /** Estimate for so many bytes of prompts. */
  tokensOf(bytes: number): number;
}

export interface OrderingDeps<Owner> {
  readonly engines: EngineView;
  /** Whether the pool has capacity for any request. A cheap test before `reserve`. */
  hasCapacity(): boolean;
  /** Takes capacity for the request in its pool and in decode; false = there is none, and nothing was taken. */
  reserve(owner: Owner): boolean;
}

/** Options of all orderings. */
export interface SharedOptions {
  /** By how many ms one step of priority moves a request. */
  readonly priorityMs: number;
  /** Most that a tenant which has had more than its share is put back, in ms. */
  readonly fairnessMs: number;
}

/** Requests that wait, in order. Time is handed in: ms of the monotonic clock. */
export interface Ordering<Owner> {
  /** Requests that wait. */
  readonly waitingCount: number;
  /** A copy of these, the first ones first. */
  waiting(): QueuedRequest<Owner>[];
  add(request: QueueRequest, owner: Owner, arrivedMs: number): QueuedRequest<Owner>;
  /** It does not wait any more, or its engine will not prefill it. Harmless when repeated. */
  remove(queued: QueuedRequest<Owner>, nowMs: number): void;
  /** Those that go now, in order. Each has been reserved, and waits no longer. */
  release(nowMs: number): readonly QueuedRequest<Owner>[];
  /** Predicted wait of a request that comes now, in ms; infinite = there is no engine. */
  expectedWaitMs(nowMs: number): number;
  /**
   * Takes other options, and says whether it can go on with them.
   * @param isSameEngines the pool's engines are those that it had
   */
  reconfigure(options: SharedOptions, isSameEngines: boolean): boolean;
  /** Whether the request, which waits, should be rejected at once: it would wait too long. */
  isOverloaded?(queued: QueuedRequest<Owner>, nowMs: number): boolean;
  /** The engine that the ordering sent it to has computed its prompt. */
  prefillDone?(queued: QueuedRequest<Owner>, usage: PromptUsage, nowMs: number): void;
  /**
   * Takes over what another one of its kind has learned.
   * @param indexBefore for each engine the index that it had there; -1 = it is new
   */
  adopt?(before: Ordering<Owner>, indexBefore: readonly number[]): void;
  /** The engine's cache is empty: it has restarted. */
  forgetCache?(engine: number): void;
  /** Whether anything that was sent to the engine is believed to be in its cache. */
  isModelled?(engine: number): boolean;
}

export interface OrderingDefinition<
  Name extends string = string,
  Shape extends OptionShape = OptionShape,
> {
  /** In the configuration (`queue.order`), in snake_case. */
  readonly name: Name;
  /** Who goes next, in a sentence. */
  readonly summary: string;
  /**
   * Whether it chooses the engine of each prompt. Otherwise requests wait for capacity, and the pool's policy picks.
   */
  readonly places: boolean;
  /** Default of `timeoutMs`. */
  readonly timeoutMs: number;
  readonly options: Shape;
  /** Called once for each pool, and again when `reconfigure` says so. */
  create<Owner>(
    deps: OrderingDeps<Owner>,
    options: ValuesOf<Shape> & SharedOptions,
  ): Ordering<Owner>;
}

/** Gives a definition its types; the value is the same. */
export function defineOrdering<const Name extends string, Shape extends OptionShape>(
  definition: OrderingDefinition<Name, Shape>,
): OrderingDefinition<Name, Shape> {
  return definition;
}

/** What a client's priority may be. */
const priorityMax = 100;

export function boundedPriority(priority: number): number {
  return Math.max(-priorityMax, Math.min(priorityMax, priority));
}
