/** A prefill engine in virtual time: first come, first served; one request a step, or several short ones. */

import { type EngineProfile, prefillMs } from "../profile.ts";
import type { TraceRequest } from "../traces/trace.ts";
import { BlockCache } from "./block-cache.ts";
import type { Timeline } from "./timeline.ts";

export interface PrefillJob {
  readonly request: TraceRequest;
  /** @param cachedTokens as the engine would report them in `usage` */
  done(cachedTokens: number): void;
}

export class PrefillEngine {
  readonly #timeline: Timeline;
  readonly #profile: EngineProfile;
  readonly #cache: BlockCache;
  /** Factor of one step's time. */
  readonly #noise: () => number;
  readonly #onStep: (fromMs: number, toMs: number) => void;
  readonly #queue: PrefillJob[] = [];
  #isBusy = false;

  constructor(
    timeline: Timeline,
    profile: EngineProfile,
    cacheBlocks: number,
    noise: () => number,
    onStep: (fromMs: number, toMs: number) => void = () => {},
  ) {
    this.#timeline = timeline;
    this.#profile = profile;
    this.#cache = new BlockCache(cacheBlocks);
    this.#noise = noise;
    this.#onStep = onStep;
  }

  submit(job: PrefillJob): void {
    this.#queue.push(job);
    if (!this.#isBusy) this.#step();
  }

  #step(): void {
    const first = this.#queue.shift();
    if (first === undefined) return;
    this.#isBusy = true;
    const batch = [first];
    const cached = [this.cachedTokens(first.request)];
    let uncached = first.request.inputTokens - cached[0]!;
    let ms = prefillMs(this.#profile, uncached, first.request.inputTokens);
    while (this.#queue.length > 0) {
      const { request } = this.#queue[0]!;
      const hit = this.cachedTokens(request);
      const more = request.inputTokens - hit;
      if (uncached + more > this.#profile.prefillBatchTokens) break;
      batch.push(this.#queue.shift()!);
      cached.push(hit);
      uncached += more;
      ms += prefillMs(this.#profile, more, request.inputTokens) - this.#profile.prefillBaseMs;
    }
    const startMs = this.#timeline.nowMs;
    this.#timeline.at(startMs + ms * this.#noise(), () => {
      this.#onStep(startMs, this.#timeline.nowMs);
      for (const { request } of batch) this.#cache.insert(request.blocks);
      this.#isBusy = false;
      batch.forEach((job, i) => void job.done(cached[i]!));
      if (!this.#isBusy) this.#step();
    });
  }

  cachedTokens({ blocks, inputTokens }: TraceRequest): number {
    return this.#cache.hitTokens(blocks, inputTokens);
  }
}
