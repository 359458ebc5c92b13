/**
 * vLLM-Ascend's MooncakeConnector: NIXL's fields and more, KV held for 480 s, and offered only by a prefill that ended
 * by its length. Decode may preempt a request after some tokens, as its `RecomputeScheduler` does when memory is short.
 * From vllm-ascend's `kv_p2p/mooncake_connector.py` and `core/recompute_scheduler.py`.
 */

import { z } from "zod";
import { RequestError } from "../../http/request-error.ts";
import { blockTokens } from "../../kv/prefix-cache.ts";
import type { ResponseEnd } from "../../model/planned-output.ts";
import type { InferenceRequest } from "../../request/inference-request.ts";
import type { Acquired, Dialect, EngineContext, Leg, Origin } from "../dialect.ts";
import { readSettings } from "../settings.ts";
import { KvPull, type KvSource, kvTransferParamsOf, readSource } from "../shared/kv-pull.ts";

const settingsSchema = z.strictObject({
  /** Tokens after which decode preempts a request; 0 = never. */
  recomputeAfter: z.coerce.number().int().min(0).default(0),
  /** Preempts one request in this many. */
  recomputeEvery: z.coerce.number().int().min(1).default(1),
  /** vLLM's `kv_load_failure_policy`. */
  loadFailure: z.enum(["fail", "recompute"]).default("fail"),
});

type AscendSettings = z.output<typeof settingsSchema>;

const holdMs = 480_000;

/** Parameters that must come back unchanged, besides those that name the source. */
const sealedKeys = [
  "remote_block_ids",
  "remote_pcp_size",
  "remote_dcp_size",
  "remote_ptp_size",
  "last_token_id",
  "remote_multi_nodes_meta_mapping",
  "num_prompt_blocks",
  "remote_block_size",
];

export const vllmAscend: Dialect = {
  name: "vllm-ascend",
  roles: ["prefill", "decode", "mixed"],

  create(engine, settings) {
    const ascend = new Ascend(engine, readSettings(settingsSchema, settings));
    return {
      kvLeaseMs: holdMs,
      ...(engine.role === "decode" ? {} : { sideRoutes: ascend.sideRoutes }),
      leg: (request, origin) => ascend.leg(request, origin),
    };
  },
};

class Ascend {
  readonly #engine: EngineContext;
  readonly #settings: AscendSettings;
  readonly #pull: KvPull;
  #decodes = 0;

  constructor(engine: EngineContext, settings: AscendSettings) {
    this.#engine = engine;
    this.#settings = settings;
    this.#pull = new KvPull(engine);
  }

  get sideRoutes() {
    return this.#pull.sideRoutes;
  }

  leg(request: InferenceRequest, origin: Origin): Leg {
    const { role } = this.#engine;
    const params = kvTransferParamsOf(request);
    if (role === "decode" || (role === "mixed" && params?.["do_remote_prefill"] === true)) {
      return this.#decodeLeg(request);
    }
    if (params?.["do_remote_decode"] === true) return this.#prefillLeg(request, origin);
    if (role === "prefill") {
      this.#engine.violation("A prefill request did not ask to hold KV (do_remote_decode).");
    }
    return {};
  }

  #prefillLeg(request: InferenceRequest, { requestId }: Origin): Leg {
    const { stream, lengths, n } = request;
    if (stream)
      this.#engine.violation("A prefill was streamed: its response has no KV-transfer parameters.");
    if (lengths.maxTokens !== 1) this.#engine.violation("A prefill was not for one token.");
    // The first choice to end would free the blocks under the others (vLLM RFC 39647).
    if (n > 1) this.#engine.violation("A prefill was for more than one choice.");
    return {
      deliver: ({ reason }) => {
        if (reason !== "length") return {};
        const source = this.#pull.newSource(request, requestId);
        const params = transferOf(request, source, this.#pull.newBlocks(request));
        const undelivered = this.#pull.hold(source, request, sealOf(params));
        return { top: { kv_transfer_params: JSON.stringify(params) }, undelivered };
      },
    };
  }

  #decodeLeg(request: InferenceRequest): Leg {
    const end = this.#preemption();
    const params = kvTransferParamsOf(request);
    const source = params?.["do_remote_prefill"] === true ? readSource(params) : undefined;
    const acquire = async (signal: AbortSignal): Promise<Acquired> => {
      if (source === undefined) return { kv: "recompute", reason: "missing_params", ...end };
      await this.#engine.sleep(this.#engine.options.kvTransferMs, signal);
      const outcome = await this.#pull.fetch(source, request, sealOf(params!));
      if (outcome === "ok") return { kv: "remote", ...end };
      if (this.#settings.loadFailure === "recompute") {
        return { kv: "recompute", reason: outcome, ...end };
      }
      throw new RequestError(500, "InternalServerError", `KV load failed (${outcome}).`);
    };
    // If the request is aborted while it waits, prefill is not notified: it holds the KV until the lease ends.
    return { acquire };
  }

  #preemption(): { readonly end?: ResponseEnd } {
    const { recomputeAfter: afterTokens, recomputeEvery } = this.#settings;
    this.#decodes += 1;
    if (afterTokens === 0 || this.#decodes % recomputeEvery !== 0) return {};
    return { end: { afterTokens, finishReason: "stop", stopReason: "recomputed" } };
  }
}

function transferOf(request: InferenceRequest, source: KvSource, blocks: readonly number[][]) {
  return {
    do_remote_prefill: true,
    do_remote_decode: false,
    remote_block_ids: blocks,
    remote_engine_id: source.engineId,
    remote_request_id: source.requestId,
    remote_host: source.host,
    remote_port: source.port,
    remote_pcp_size: 1,
    remote_dcp_size: 1,
    remote_ptp_size: 1,
    last_token_id: request.prompts[0]!.outputSeed,
    remote_multi_nodes_meta_mapping: { "0": { host: source.host, engine_id: source.engineId } },
    num_prompt_blocks: Math.ceil(request.promptTokens / blockTokens),
    remote_block_size: blockTokens,
  };
}

function sealOf(params: Readonly<Record<string, unknown>>): string {
  return JSON.stringify(sealedKeys.map((key) => params[key] ?? null));
}
