/**
 * vLLM's NixlConnector: prefill holds KV when the request says so (`do_remote_decode`) and responds with its address;
 * decode fetches it when the request has that address (`do_remote_prefill`), and otherwise silently computes the prompt
 * itself. From vLLM's `nixl/base_scheduler.py` and `pull_scheduler.py`.
 */

import { z } from "zod";
import { RequestError } from "../../http/request-error.ts";
import type { InferenceRequest } from "../../request/inference-request.ts";
import type { Dialect, EngineContext, Leg, Origin } from "../dialect.ts";
import { readSettings } from "../settings.ts";
import {
  KvPull,
  type KvSource,
  kvTransferParamsOf,
  readSource,
  transferJson,
} from "../shared/kv-pull.ts";

const settingsSchema = z.strictObject({
  /** `older`: KV is held for 480 s without renewal, and only if the prefill ended by its length. */
  generation: z.enum(["lease", "older"]).default("lease"),
  /** vLLM's `kv_load_failure_policy`: what decode does when it cannot fetch. */
  loadFailure: z.enum(["fail", "recompute"]).default("fail"),
});

type NixlSettings = z.output<typeof settingsSchema>;

const renewalsPerLease = 6;

export const vllmNixl: Dialect = {
  name: "vllm-nixl",
  roles: ["prefill", "decode", "mixed"],
  connector: "NixlConnector",

  create(engine, settings) {
    const checked = readSettings(settingsSchema, settings);
    const nixl = new Nixl(engine, checked);
    return {
      kvLeaseMs: checked.generation === "older" ? 480_000 : 30_000,
      ...(engine.role === "decode" ? {} : { sideRoutes: nixl.sideRoutes }),
      leg: (request, origin) => nixl.leg(request, origin),
    };
  },
};

class Nixl {
  readonly #engine: EngineContext;
  readonly #older: boolean;
  readonly #mayRecompute: boolean;
  readonly #pull: KvPull;

  constructor(engine: EngineContext, settings: NixlSettings) {
    this.#engine = engine;
    this.#older = settings.generation === "older";
    this.#mayRecompute = settings.loadFailure === "recompute";
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
        if (this.#older && reason !== "length") return {};
        const source = this.#pull.newSource(request, requestId);
        const blocks = this.#pull.newBlocks(request);
        const blocksJson = JSON.stringify(this.#older ? blocks[0] : blocks);
        const undelivered = this.#pull.hold(source, request, blocksJson);
        const newer = `,"remote_num_tokens":${request.promptTokens},"transfer_mode":"pull"`;
        const params = transferJson(source, blocksJson, this.#older ? "" : newer);
        return { top: { kv_transfer_params: params }, undelivered };
      },
    };
  }

  #decodeLeg(request: InferenceRequest): Leg {
    const params = kvTransferParamsOf(request);
    const source = params?.["do_remote_prefill"] === true ? readSource(params) : undefined;
    if (source === undefined) {
      return { acquire: async () => ({ kv: "recompute", reason: "missing_params" }) };
    }
    const blocksJson = JSON.stringify(params?.["remote_block_ids"] ?? null);
    let owesRelease = true;
    return {
      acquire: async (signal) => {
        await this.#waitToFetch(source, signal);
        const outcome = await this.#pull.fetch(source, request, blocksJson);
        owesRelease = false;
        if (outcome === "ok") return { kv: "remote" };
        if (this.#mayRecompute) return { kv: "recompute", reason: outcome };
        const message = `KV load failed (${outcome}).`;
        throw new RequestError(500, "InternalServerError", message);
      },
      abandon: () => {
        if (owesRelease) this.#pull.release(source);
      },
    };
  }

  /** Decode renews the lease as soon as it accepts the request, so that it may wait for longer than the lease. */
  async #waitToFetch(source: KvSource, signal: AbortSignal): Promise<void> {
    const { kvStore } = this.#engine;
    const stepMs = this.#older ? Infinity : Math.max(1, kvStore.leaseMs / renewalsPerLease);
    for (let leftMs = this.#engine.options.kvTransferMs; leftMs > 0; leftMs -= stepMs) {
      if (!this.#older) this.#pull.renew(source);
      await this.#engine.sleep(Math.min(stepMs, leftMs), signal);
    }
  }
}
