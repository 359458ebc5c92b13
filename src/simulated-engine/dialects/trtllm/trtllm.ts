/**
 * TensorRT-LLM: a context server computes the prompt and one token, and returns that token; a generation server that
 * gets it fetches the KV cache and continues with that token. With `schedule_style` 1 (generation first) the context
 * server starts once the generation server has asked it. From TensorRT-LLM's `serve/openai_disagg_service.py`,
 * `serve/openai_protocol.py` and `_torch/pyexecutor/kv_cache_transceiver.py`.
 */

import { createHmac } from "node:crypto";
import { z } from "zod";
import { badRequest, RequestError } from "../../http/request-error.ts";
import { kvEntriesMax } from "../../limits.ts";
import { tokenIdsOf } from "../../model/tokens.ts";
import type { InferenceRequest } from "../../request/inference-request.ts";
import type { Acquired, Dialect, EngineContext, Leg, Origin } from "../dialect.ts";
import { readSettings } from "../settings.ts";
import { KvPull } from "../shared/kv-pull.ts";
import { infoRoutes } from "./info.ts";
import { readParams, type TrtllmParams } from "./params.ts";
import { WaitingRoom } from "./waiting-room.ts";

const settingsSchema = z.strictObject({
  /** `kv_transfer_timeout_ms`: how long KV is held for its generation server, and how long each side waits. */
  kvTransferTimeoutMs: z.coerce.number().int().min(1).default(60_000),
  /** `older`: rejects `ctx_usage` and `schedule_style`. */
  generation: z.enum(["newer", "older"]).default("newer"),
  /** `internal_request_auth_key`: a generation must be signed with it. */
  authKey: z.string().min(1).optional(),
});

type TrtllmSettings = z.output<typeof settingsSchema>;

export const trtllm: Dialect = {
  name: "trtllm",
  roles: ["prefill", "decode", "mixed"],

  create(engine, settings) {
    const checked = readSettings(settingsSchema, settings);
    const server = new Trtllm(engine, checked);
    return {
      kvLeaseMs: checked.kvTransferTimeoutMs,
      family: "tensorrt_llm",
      routes: infoRoutes(engine),
      ...(engine.role === "decode" ? {} : { sideRoutes: server.sideRoutes }),
      leg: (request, origin) => server.leg(request, origin),
    };
  },
};

class Trtllm {
  readonly #engine: EngineContext;
  readonly #settings: TrtllmSettings;
  readonly #pull: KvPull;
  readonly #waitingRoom: WaitingRoom;
  /** Ids of earlier requests, oldest first. */
  readonly #usedIds = new Set<string>();

  constructor(engine: EngineContext, settings: TrtllmSettings) {
    this.#engine = engine;
    this.#settings = settings;
    this.#pull = new KvPull(engine);
    this.#waitingRoom = new WaitingRoom(engine, settings.kvTransferTimeoutMs);
  }

  get sideRoutes() {
    return { ...this.#pull.sideRoutes, ...this.#waitingRoom.routes };
  }

  leg(request: InferenceRequest, { headers }: Origin): Leg {
    const { role } = this.#engine;
    const params = readParams(request, this.#engine, this.#settings.generation === "older");
    if (params === undefined) {
      if (role === "prefill")
        this.#engine.violation("A context server was asked for the whole response.");
      if (role !== "decode") return {};
      return { acquire: async () => ({ kv: "recompute", reason: "missing_params" }) };
    }
    const isContext = params.request_type === "context_only";
    if (isContext === (role === "decode") && role !== "mixed") {
      this.#engine.violation(`A ${role} engine was asked for "${params.request_type}".`);
    }
    if (!isContext) this.#checkSignature(params, headers["x-trtllm-disagg-auth"]);
    this.#useId(params);
    return isContext ? this.#contextLeg(request, params) : this.#generationLeg(request, params);
  }

  #contextLeg(request: InferenceRequest, params: TrtllmParams): Leg {
    const { id } = params;
    if (request.stream) this.#engine.violation("A context was streamed: its parameters are lost.");
    if (request.n * request.prompts.length > 1) {
      this.#engine.violation("A context was for more than one choice.");
    }
    const source = { engineId: this.#engine.engineId, requestId: id, host: "", port: 0 };
    const { isGenerationFirst } = params;
    const seal = sealOf(contextIdOf(request), this.#opaqueState);
    return {
      tokensMax: 1,
      cutReason: "not_finished",
      ...(isGenerationFirst && {
        acquire: (signal: AbortSignal) => this.#waitForGeneration(request, id, signal),
      }),
      deliver: ({ reason }) => {
        let undelivered: (() => void) | undefined;
        // Generation first, the other server waits, also if the prompt ends the text.
        if (isGenerationFirst || reason === "length" || reason === "not_finished") {
          undelivered = this.#pull.hold(source, request, seal);
          if (isGenerationFirst) this.#waitingRoom.admit(id, seal);
        }
        const ids = tokenIdsOf(request.prompts[0]!.bytes);
        return {
          top: { prompt_token_ids: JSON.stringify(ids) },
          choice: { disaggregated_params: this.#paramsJson(request, params) },
          ...(undelivered && { undelivered }),
        };
      },
    };
  }

  async #waitForGeneration(
    request: InferenceRequest,
    id: string,
    signal: AbortSignal,
  ): Promise<Acquired> {
    const promptHash = await orTransferFailed(() => this.#waitingRoom.waitForAsk(id, signal));
    if (promptHash !== request.promptHash) {
      this.#engine.violation("Two different prompts have the same id.");
      throw transferFailed("The prompts differ.");
    }
    return { kv: "compute" };
  }

  #generationLeg(request: InferenceRequest, params: TrtllmParams): Leg {
    const origin = params.ctx_info_endpoint?.replace(/^tcp:/, "http:");
    if (origin === undefined) {
      this.#engine.violation("A generation did not name its context server.");
      throw badRequest("ctx_info_endpoint is missing.", "disaggregated_params");
    }
    if (params.isGenerationFirst) {
      return { acquire: (signal) => this.#ask(request, params, origin, signal) };
    }
    this.#checkContextFirst(request, params);
    const engineId = Buffer.from(params.encoded_opaque_state ?? "", "base64").toString();
    const seal = sealOf(params.contextId, params.encoded_opaque_state ?? "");
    // Without `ctx_usage` the engine counts the whole prompt as cached, because it came from elsewhere.
    const usage = params.ctx_usage ?? undefined;
    const cachedTokens = usage && (usage.prompt_tokens_details?.cached_tokens ?? 0);
    return {
      acquire: (signal) =>
        this.#fetch(request, { engineId, origin, id: params.id }, seal, cachedTokens, signal),
    };
  }

  /** Asks the context server for KV that it has not computed yet. */
  async #ask(
    request: InferenceRequest,
    { id }: TrtllmParams,
    origin: string,
    signal: AbortSignal,
  ): Promise<Acquired> {
    const response = await this.#engine.peers.call(`${origin}/kv/ask`, {
      body: { id, promptHash: request.promptHash },
      timeoutMs: this.#settings.kvTransferTimeoutMs + callGraceMs,
      signal,
    });
    if (response?.status !== 200) {
      throw transferFailed(
        response === undefined ? "The context server disconnected." : response.text,
      );
    }
    const { engineId, seal } = admittedSchema.parse(JSON.parse(response.text));
    return this.#fetch(request, { engineId, origin, id }, seal, undefined, signal);
  }

  async #fetch(
    request: InferenceRequest,
    from: { readonly engineId: string; readonly origin: string; readonly id: string },
    seal: string,
    cachedTokens: number | undefined,
    signal: AbortSignal,
  ): Promise<Acquired> {
    await this.#engine.sleep(this.#engine.options.kvTransferMs, signal);
    const { hostname, port } = new URL(from.origin);
    const host = hostname.replace(/^\[|\]$/g, "");
    const source = { engineId: from.engineId, requestId: from.id, host, port: Number(port) };
    const outcome = await this.#pull.fetch(source, request, seal);
    if (outcome !== "ok") throw transferFailed(outcome);
    return { kv: "remote", firstToken: true, ...(cachedTokens !== undefined && { cachedTokens }) };
  }

  /** Checks what a generation server needs in a context-first request, or would have to compute again. */
  #checkContextFirst(request: InferenceRequest, params: TrtllmParams): void {
    const { engine, fields } = { engine: this.#engine, fields: request.fields };
    if (params.contextId === "" || params.first_gen_tokens?.length !== 1) {
      engine.violation("A generation came without its first token or its context's id.");
      throw badRequest("first_gen_tokens and ctx_request_id are needed.", "disaggregated_params");
    }
    if (this.#settings.generation === "newer" && !params.ctx_usage) {
      engine.violation("A generation came without its context's usage.");
    }
    const ids = fields["messages"] === undefined ? fields["prompt"] : fields["prompt_token_ids"];
    const expected = tokenIdsOf(request.prompts[0]!.bytes);
    if (!Array.isArray(ids) || ids.join() !== expected.join()) {
      engine.violation("A generation came without its context's tokens.");
    }
  }

  #checkSignature(params: TrtllmParams, signature: string | string[] | undefined): void {
    const { authKey } = this.#settings;
    if (authKey === undefined) return;
    const { ctx_info_endpoint = null, encoded_opaque_state = null } = params;
    const payload = JSON.stringify({ ctx_info_endpoint, encoded_opaque_state });
    const expected = `sha256=${createHmac("sha256", authKey).update(payload).digest("hex")}`;
    if (signature === expected) return;
    this.#engine.violation("A generation was not signed.");
    throw badRequest("Invalid internal disaggregated request authentication");
  }

  #useId({ id }: TrtllmParams): void {
    if (this.#usedIds.has(id)) this.#engine.violation(`The id ${id} was used before.`);
    if (this.#usedIds.size >= kvEntriesMax) {
      this.#usedIds.delete(this.#usedIds.values().next().value!);
    }
    this.#usedIds.add(id);
  }

  get #opaqueState(): string {
    return Buffer.from(this.#engine.engineId).toString("base64");
  }

  #paramsJson(request: InferenceRequest, { id, isGenerationFirst }: TrtllmParams): string {
    const { address } = this.#engine;
    const host = address.host.includes(":") ? `[${address.host}]` : address.host;
    const newer = `,"schedule_style":${isGenerationFirst ? 1 : null},"ctx_usage":null`;
    return (
      `{"request_type":"context_only","first_gen_tokens":[${firstTokenOf(request)}],"first_gen_log_probs":null,` +
      `"ctx_request_id":${contextIdOf(request)},"encoded_opaque_state":"${this.#opaqueState}","draft_tokens":null,` +
      `"disagg_request_id":${id},"ctx_dp_rank":0,"ctx_info_endpoint":"tcp://${host}:${address.sidePort}"` +
      `${this.#settings.generation === "older" ? "" : newer}}`
    );
  }
}

const admittedSchema = z.object({ engineId: z.string(), seal: z.string() });
/** So that the other server can report its time-out before the call itself times out. */
const callGraceMs = 1_000;

/** An odd 63-bit number that follows from the prompt: no double holds it. */
function contextIdOf({ promptHash }: InferenceRequest): string {
  return String((1n << 62n) | (BigInt(`0x${promptHash.slice(0, 15)}`) << 1n) | 1n);
}

function firstTokenOf({ promptHash }: InferenceRequest): number {
  return Number.parseInt(promptHash.slice(15, 20), 16);
}

function sealOf(contextId: string, opaqueState: string): string {
  return `${contextId} ${opaqueState}`;
}

async function orTransferFailed<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw transferFailed(error instanceof Error ? error.message : String(error));
  }
}

function transferFailed(why: string): RequestError {
  return new RequestError(500, "InternalServerError", `KV cache transfer failed: ${why}`);
}
