/**
 * Engines that reject a prompt of which too little is cached (`cache_hit_threshold`, vLLM RFC 24256 and PR 24520): the
 * response has no token and ends with `finish_reason` "cache_threshold". KV is transferred through a shared folder. A
 * threshold of 0 computes whatever is missing: right in a prefill, and a silent recompute in a decode.
 */

import { z } from "zod";
import { badRequest } from "../../http/request-error.ts";
import { SharedStore, storePath } from "../../kv/shared-store.ts";
import { kvEntriesMax } from "../../limits.ts";
import type { ResponseEnd } from "../../model/planned-output.ts";
import type { InferenceRequest } from "../../request/inference-request.ts";
import type { Acquired, Dialect, EngineContext, Leg } from "../dialect.ts";
import { readSettings } from "../settings.ts";

const settingsSchema = z.strictObject({
  path: storePath,
  /** vLLM's `--global-cache-hit-threshold`, for requests without a threshold. */
  threshold: z.coerce.number().min(0).max(1).default(0),
});

const rejection: ResponseEnd = {
  afterTokens: 0,
  finishReason: "cache_threshold",
  stopReason: null,
};

export const cacheThreshold: Dialect = {
  name: "cache-threshold",
  roles: ["prefill", "decode", "mixed"],

  create(engine, settings) {
    const { path, threshold } = readSettings(settingsSchema, settings);
    const gate = new Gate(engine, new SharedStore(path), threshold);
    return { kvLeaseMs: 0, leg: (request) => gate.leg(request) };
  },
};

class Gate {
  readonly #engine: EngineContext;
  readonly #store: SharedStore;
  readonly #threshold: number;
  /** Prompts whose KV is in this engine, the least recently used first. */
  readonly #local = new Set<string>();

  constructor(engine: EngineContext, store: SharedStore, threshold: number) {
    this.#engine = engine;
    this.#store = store;
    this.#threshold = threshold;
  }

  leg(request: InferenceRequest): Leg {
    const requested = request.fields["cache_hit_threshold"] ?? this.#threshold;
    if (typeof requested !== "number" || !(requested >= 0 && requested <= 1)) {
      throw badRequest("cache_hit_threshold must be between 0 and 1.", "cache_hit_threshold");
    }
    const isPrefill = this.#engine.role === "prefill";
    if (isPrefill && requested > 0) {
      this.#engine.violation("A prefill has a threshold above 0, by which it may be rejected.");
    }
    if (isPrefill && request.lengths.maxTokens !== 1) {
      this.#engine.violation("A prefill was not for one token.");
    }
    let isRejected = false;
    return {
      acquire: async (signal) => {
        const acquired = await this.#acquire(request, requested, signal);
        isRejected = acquired.end !== undefined;
        if (!isRejected) this.#remember(request.promptHash);
        return acquired;
      },
      deliver: async () => {
        if (this.#engine.role !== "decode" && !isRejected) await this.#store.put(request);
        return {};
      },
    };
  }

  async #acquire(
    request: InferenceRequest,
    threshold: number,
    signal: AbortSignal,
  ): Promise<Acquired> {
    if (this.#local.has(request.promptHash)) return { kv: "local" };
    const outcome = await this.#store.look(request);
    if (outcome === "ok") {
      await this.#engine.sleep(this.#engine.options.kvTransferMs, signal);
      return { kv: "remote" };
    }
    // The prompt is cached as a whole or not at all: a share of 1 or 0.
    if (threshold > 0) return { kv: "local", end: rejection };
    return this.#engine.role === "decode"
      ? { kv: "recompute", reason: outcome }
      : { kv: "compute" };
  }

  #remember(promptHash: string): void {
    this.#local.delete(promptHash);
    this.#local.add(promptHash);
    if (this.#local.size > kvEntriesMax) this.#local.delete(this.#local.values().next().value!);
  }
}
