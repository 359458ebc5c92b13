/**
 * The shortest predicted prefill first; each prompt waits for the engine that suits it best, by wait, prefill and
 * cache.
 */
import { isDeepStrictEqual } from "node:util";
import type { PromptUsage } from "../../dialects/shared/prompt-usage.ts";
import { promptBlockBytes } from "../../limits.ts";
import { blocksMax } from "../../policies/shared/common-options.ts";
import { integer, number, type ValuesOf } from "../../policies/shared/options.ts";
import { TokenKeys } from "../../prefix-cache/token-keys.ts";
import {
  boundedPriority,
  defineOrdering,
  type EngineView,
  type Ordering,
  type OrderingDeps,
  type QueueRequest,
  type SharedOptions,
} from "./shared/ordering.ts";
import { PrefillQueue } from "./shortest-prefill/prefill-queue.ts";
import type { QueuedPrompt } from "./shortest-prefill/queued-prompt.ts";

const options = {
  agingFactor: number({
    min: 0.001,
    max: 10,
    default: 0.1,
    about:
      "What a ms of waiting takes off the predicted ms of a prefill. No request that comes " +
      "more than a prompt's predicted prefill divided by this later can overtake it.",
  }),
  duplicateWeight: number({
    min: 0,
    default: 1,
    about:
      "Weight of work that another engine's cache would save. It counts once, and once more " +
      "for each prompt that waits per engine.",
  }),
  blocksMax,
  ttftMaxMs: integer({
    min: 0,
    max: 86_400_000,
    default: 0,
    unit: "ms",
    about:
      "A request that would have to wait, and whose predicted TTFT is longer, is rejected at " +
      "once with 429 and `Retry-After`. 0 = none.",
  }),
};

type Options = ValuesOf<typeof options> & SharedOptions;

export const shortestPrefill = defineOrdering({
  name: "shortest_prefill",
  summary:
    "For prefill: the shortest predicted prefill first, sent when an engine can take it, to " +
    "the engine that suits it best by wait, prefill and cache.",
  places: true,
  timeoutMs: 120_000,
  options,
  create: (deps, options) => new ShortestPrefill(deps, options),
});

class ShortestPrefill<Owner> implements Ordering<Owner> {
  readonly #engines: EngineView;
  readonly #options: Options;
  readonly #queue: PrefillQueue<Owner>;

  constructor({ engines, reserve }: OrderingDeps<Owner>, options: Options) {
    this.#engines = engines;
    this.#options = options;
    this.#queue = new PrefillQueue(options, engines, reserve);
  }

  get waitingCount(): number {
    return this.#queue.waitingCount;
  }

  waiting(): QueuedPrompt<Owner>[] {
    return this.#queue.waiting();
  }

  reconfigure(options: SharedOptions, isSameEngines: boolean): boolean {
    return isSameEngines && isDeepStrictEqual(options, this.#options);
  }

  add(request: QueueRequest, owner: Owner, arrivedMs: number): QueuedPrompt<Owner> {
    const { model, bytes, blocks, tokenIds, priority, tenant, weight, explains } = request;
    const prompt = {
      model,
      tokens: Math.max(1, tokenIds?.length ?? this.#engines.tokensOf(bytes)),
      keys: tokenIds && new TokenKeys(tokenIds),
      blocks,
      blockTokens: this.#engines.tokensOf(promptBlockBytes),
      advanceMs: -boundedPriority(priority) * this.#options.priorityMs,
      tenant,
      weight,
      explains,
    };
    return this.#queue.add(prompt, arrivedMs, owner);
  }

  remove(queued: QueuedPrompt<Owner>, nowMs: number): void {
    this.#queue.remove(queued, nowMs);
  }

  release(nowMs: number): readonly QueuedPrompt<Owner>[] {
    return this.#queue.release(nowMs);
  }

  expectedWaitMs(nowMs: number): number {
    return this.#queue.expectedWaitMs(nowMs);
  }

  isOverloaded(queued: QueuedPrompt<Owner>, nowMs: number): boolean {
    const { ttftMaxMs } = this.#options;
    if (ttftMaxMs === 0) return false;
    const { waitMs, ms } = this.#queue.expectedTtft(queued, nowMs);
    // A prefill that takes longer by itself is rejected only if it would have to wait, too.
    return waitMs > 0 && ms > ttftMaxMs;
  }

  prefillDone(queued: QueuedPrompt<Owner>, { cachedTokens }: PromptUsage, nowMs: number): void {
    this.#queue.done(queued, cachedTokens, nowMs);
  }

  adopt(before: ShortestPrefill<Owner>, indexBefore: readonly number[]): void {
    this.#queue.adopt(before.#queue, indexBefore);
  }

  forgetCache(engine: number): void {
    this.#queue.forget(engine);
  }

  isModelled(engine: number): boolean {
    return this.#queue.isModelled(engine);
  }
}
