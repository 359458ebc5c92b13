/** Prefill and decode engines in virtual time, and the way of a request through those that were chosen for it. */

import { type EngineProfile, transferMs } from "../profile.ts";
import { gauss } from "../traces/distributions.ts";
import type { TraceRequest } from "../traces/trace.ts";
import { DecodeEngine } from "./decode-engine.ts";
import { PrefillEngine } from "./prefill-engine.ts";
import type { Timeline } from "./timeline.ts";
import type { Utilization } from "./utilization.ts";

export interface FleetOptions {
  readonly prefill: number;
  readonly decode: number;
  readonly profile: EngineProfile;
  /** Blocks that each prefill engine's cache holds. */
  readonly cacheBlocks: number;
  /** Standard deviation of the logarithm of a prefill's time; 0 = none. */
  readonly noise: number;
  /** Factor by which the last prefill engine is slower than the rest. */
  readonly slowest: number;
  /** Records what each engine does when. */
  readonly utilization?: Utilization;
  random(): number;
}

/** The result of one request. Times of the trace's clock, in ms; -1 = did not happen. */
export interface Outcome {
  readonly request: TraceRequest;
  arrivedMs: number;
  firstTokenMs: number;
  doneMs: number;
  cachedTokens: number;
  prefillEngine: number;
}

export class Fleet {
  readonly prefills: readonly PrefillEngine[];
  readonly decodes: readonly DecodeEngine[];
  readonly #timeline: Timeline;
  readonly #profile: EngineProfile;

  constructor(timeline: Timeline, options: FleetOptions) {
    const { profile, noise, utilization, random } = options;
    this.#timeline = timeline;
    this.#profile = profile;
    this.prefills = Array.from({ length: options.prefill }, (_, i) => {
      const factor = i === options.prefill - 1 ? options.slowest : 1;
      const noiseOf = () => (noise === 0 ? factor : factor * Math.exp(noise * gauss(random)));
      return new PrefillEngine(timeline, profile, options.cacheBlocks, noiseOf, (fromMs, toMs) => {
        utilization?.add("prefill", i, fromMs, toMs, 1);
      });
    });
    this.decodes = Array.from({ length: options.decode }, (_, i) => {
      return new DecodeEngine(timeline, profile, (fromMs, toMs, kvShare) => {
        utilization?.add("decode", i, fromMs, toMs, kvShare);
      });
    });
  }

  /** @param done called when the prefill ends, with the number of tokens that were cached */
  prefill(engine: number, outcome: Outcome, done: (cachedTokens: number) => void): void {
    outcome.prefillEngine = engine;
    this.prefills[engine]!.submit({
      request: outcome.request,
      done: (cachedTokens) => {
        outcome.cachedTokens = cachedTokens;
        done(cachedTokens);
      },
    });
  }

  /**
   * Transfers the KV cache, then decodes.
   * @param progressed called with numbers of further tokens
   */
  decode(
    engine: number,
    outcome: Outcome,
    progressed: (tokens: number) => void,
    done: () => void,
  ): void {
    const { inputTokens, outputTokens } = outcome.request;
    this.#timeline.at(this.#timeline.nowMs + transferMs(this.#profile, inputTokens), () => {
      this.decodes[engine]!.submit({
        inputTokens,
        outputTokens,
        firstToken: (atMs) => {
          outcome.firstTokenMs = atMs;
        },
        progressed,
        done: (atMs) => {
          outcome.doneMs = atMs;
          done();
        },
      });
    });
  }
}
