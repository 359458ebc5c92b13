/**
 * vLLM-Ascend's layerwise connectors: decode allocates blocks, calls the proxy back (`metaserver`) with their
 * addresses, ignores the response, and waits until a prefill has written the KV there; prefill pushes layer by layer
 * and holds nothing. Both use the request's id. From vllm-ascend's `kv_p2p/mooncake_layerwise_connector.py` and
 * `kv_p2p/layerwise_pull/scheduler.py`.
 */

import { z } from "zod";
import { httpOrigin } from "../../http/peers.ts";
import { RequestError } from "../../http/request-error.ts";
import type { RouteResponse } from "../../http/route-table.ts";
import { blockTokens } from "../../kv/prefix-cache.ts";
import { RendezvousError } from "../../kv/rendezvous.ts";
import type { ResponseEnd } from "../../model/planned-output.ts";
import type { InferenceRequest } from "../../request/inference-request.ts";
import type { Acquired, Dialect, EngineContext, Leg, Origin } from "../dialect.ts";
import { readSettings } from "../settings.ts";
import { kvTransferParamsOf } from "../shared/kv-pull.ts";

const settingsSchema = z.strictObject({
  /** How long decode waits for its KV. A real engine waits without limit. */
  waitMs: z.coerce.number().int().min(1).default(600_000),
  /** How often decode makes each call, as if the connections of the earlier calls had broken. */
  calls: z.coerce.number().int().min(1).max(3).default(1),
  layers: z.coerce.number().int().min(1).max(128).default(3),
  /** Tokens after which decode preempts a request; 0 = never. */
  recomputeAfter: z.coerce.number().int().min(0).default(0),
});

type LayerwiseSettings = z.output<typeof settingsSchema>;

/** vllm-ascend's `METASERVER_MAX_RETRIES`. */
const triesMax = 3;

const targetSchema = z.looseObject({
  request_id: z.string(),
  do_remote_decode: z.literal(true),
  remote_block_ids: z.array(z.array(z.number().int())),
  remote_engine_id: z.string(),
  remote_host: z.string(),
  remote_port: z.number().int().min(1).max(65_535),
  remote_cached_tokens: z.number().int(),
});
type Target = z.output<typeof targetSchema>;

const pushSchema = z.object({
  requestId: z.string(),
  engineId: z.string(),
  promptHash: z.string(),
  blocks: z.string(),
  isLast: z.boolean(),
});

export const vllmAscendLayerwise: Dialect = {
  name: "vllm-ascend-layerwise",
  roles: ["prefill", "decode"],
  connector: "MooncakeLayerwiseConnector",

  create(engine, settings) {
    const layerwise = new Layerwise(engine, readSettings(settingsSchema, settings));
    return {
      kvLeaseMs: 0,
      ...(engine.role === "prefill"
        ? {}
        : { sideRoutes: { "POST /kv/layer": ({ body }) => layerwise.receive(body) } }),
      leg: (request, origin) =>
        engine.role === "prefill"
          ? layerwise.prefillLeg(request, origin)
          : layerwise.decodeLeg(request, origin),
    };
  },
};

/** Blocks reserved for KV that has not arrived. */
interface Allocated {
  readonly promptHash: string;
  readonly blocks: string;
}

class Layerwise {
  readonly #engine: EngineContext;
  readonly #settings: LayerwiseSettings;
  readonly #arrived;
  readonly #allocated = new Map<string, Allocated>();
  #nextBlock = 1;

  constructor(engine: EngineContext, settings: LayerwiseSettings) {
    this.#engine = engine;
    this.#settings = settings;
    this.#arrived = engine.newRendezvous<true>();
  }

  // ---- Decode ----

  decodeLeg(request: InferenceRequest, origin: Origin): Leg {
    const params = kvTransferParamsOf(request);
    const { recomputeAfter: afterTokens } = this.#settings;
    const preempted = { finishReason: "stop", stopReason: "recomputed" };
    const end: { end?: ResponseEnd } =
      afterTokens > 0 ? { end: { afterTokens, ...preempted } } : {};
    const url = params?.["do_remote_prefill"] === true ? params["metaserver"] : undefined;
    const ids = childIds(request, origin);
    return {
      acquire: async (signal) => {
        if (typeof url !== "string") return { kv: "recompute", reason: "missing_params", ...end };
        await this.#receiveAll(request, ids, url, signal);
        return { kv: "remote", ...end } satisfies Acquired;
      },
    };
  }

  async #receiveAll(
    request: InferenceRequest,
    ids: readonly string[],
    url: string,
    signal: AbortSignal,
  ): Promise<void> {
    const { waitMs } = this.#settings;
    // The engine's own queue, before there is memory for the request.
    await this.#engine.sleep(this.#engine.options.kvTransferMs, signal);
    const unused = ids.filter((id) => !this.#allocated.has(id));
    if (unused.length < ids.length) {
      this.#engine.violation(
        "Two requests have the same id, which identifies the blocks of their KV.",
      );
      throw new RequestError(500, "InternalServerError", "The request id is in use.");
    }
    try {
      const waits = ids.map((id, index) => {
        const { promptHash, prompts } = request;
        const blockIds = this.#newBlocks(prompts[index]!.tokens);
        this.#allocated.set(id, { promptHash, blocks: JSON.stringify(blockIds) });
        for (let call = 0; call < this.#settings.calls; call++)
          void this.#callBack(url, id, blockIds);
        return this.#arrived.wait(id, waitMs, signal);
      });
      await Promise.all(waits);
    } catch (error) {
      if (!(error instanceof RendezvousError)) throw error;
      throw new RequestError(500, "InternalServerError", error.message);
    } finally {
      for (const id of ids) this.#allocated.delete(id);
    }
  }

  /** Ignores the response; only a broken connection is tried again. */
  async #callBack(url: string, id: string, blockIds: readonly number[][]): Promise<void> {
    const { engineId, address } = this.#engine;
    const body = {
      token_ids: [],
      request_id: id,
      do_remote_prefill: false,
      do_remote_decode: true,
      remote_block_ids: blockIds,
      remote_block_size: blockTokens,
      remote_engine_id: engineId,
      remote_host: address.host,
      remote_port: address.sidePort,
      remote_tp_size: 1,
      remote_pcp_size: 1,
      remote_dcp_size: 1,
      remote_cached_tokens: 0,
    };
    for (let tries = 0; tries < triesMax; tries++) {
      const timeoutMs = this.#settings.waitMs;
      const response = await this.#engine.peers.call(url, { body, timeoutMs });
      if (response !== undefined) return;
    }
  }

  /** One layer's KV has arrived; after the last one the request continues. */
  receive(body: unknown): RouteResponse {
    const parsed = pushSchema.safeParse(body);
    if (!parsed.success) return { status: 400, json: "{}" };
    const { requestId, engineId, promptHash, blocks, isLast } = parsed.data;
    const allocated = this.#allocated.get(requestId);
    const fits =
      engineId === this.#engine.engineId &&
      allocated?.promptHash === promptHash &&
      allocated.blocks === blocks;
    // A real engine cannot detect this: the memory would belong to another request by now.
    if (!fits) return { status: 409, json: "{}" };
    if (isLast) this.#arrived.offer(requestId, true, 1);
    return { status: 200, json: "{}" };
  }

  #newBlocks(promptTokens: number): [number[]] {
    const count = Math.ceil(promptTokens / blockTokens);
    const first = this.#nextBlock;
    this.#nextBlock += count;
    return [Array.from({ length: count }, (_, index) => first + index)];
  }

  // ---- Prefill ----

  prefillLeg(request: InferenceRequest, origin: Origin): Leg {
    const { stream, lengths, n } = request;
    if (stream || lengths.maxTokens !== 1) {
      this.#engine.violation("A prefill was not for one token in one piece.");
    }
    if (n > 1) this.#engine.violation("A prefill was for more than one choice.");
    const params = kvTransferParamsOf(request);
    if (params?.["do_remote_decode"] !== true) {
      this.#engine.violation("A prefill request did not say where its KV goes.");
      return {};
    }
    const ids = childIds(request, origin);
    const batch = params["batch_kv_transfer_params"] as Record<string, unknown> | undefined;
    const targets = ids.map((id) => {
      const target = targetSchema.safeParse(ids.length === 1 ? params : batch?.[id]);
      if (target.success) return target.data;
      throw new RequestError(
        500,
        "InternalServerError",
        `The request does not say where the KV of ${id} goes.`,
      );
    });
    return {
      deliver: async () => {
        await Promise.all(ids.map((id, index) => this.#push(request, id, targets[index]!)));
        return {};
      },
    };
  }

  /** Pushes under the prefill's own id, while decode waits for its own id: both must be the same. */
  async #push(request: InferenceRequest, id: string, target: Target): Promise<void> {
    const { remote_host: host, remote_port: port, remote_engine_id: engineId } = target;
    const blocks = JSON.stringify(target.remote_block_ids);
    const { promptHash } = request;
    for (let layer = 1; layer <= this.#settings.layers; layer++) {
      const isLast = layer === this.#settings.layers;
      const body = { requestId: id, engineId, promptHash, blocks, isLast };
      const response = await this.#engine.peers.call(`${httpOrigin(host, port)}/kv/layer`, {
        body,
      });
      if (response?.status !== 200) return;
    }
  }
}

/** vLLM makes one request of each prompt. */
function childIds({ idPrefix, prompts }: InferenceRequest, { requestId }: Origin): string[] {
  if (idPrefix === "chatcmpl") return [`chatcmpl-${requestId}`];
  return prompts.map((_, index) => `${idPrefix}-${requestId}-${index}`);
}
