/**
 * The KV transfer in which a decode engine fetches KV that a prefill engine holds for it, as with NIXL: the calls over
 * the side port, and the parameters that name the KV.
 */

import { createHash } from "node:crypto";
import { z } from "zod";
import { httpOrigin } from "../../http/peers.ts";
import type { RouteResponse, RouteTable } from "../../http/route-table.ts";
import { blockTokens } from "../../kv/prefix-cache.ts";
import { kvBytesPerToken } from "../../limits.ts";
import type { InferenceRequest } from "../../request/inference-request.ts";
import type { EngineContext } from "../dialect.ts";

/** The engine that holds the KV, and its id there. */
export interface KvSource {
  readonly engineId: string;
  readonly requestId: string;
  readonly host: string;
  readonly port: number;
}

/** `ok`, or why the KV cannot be fetched. */
export type PullOutcome = "ok" | "unknown" | "wrong_prompt" | "mangled_params" | "fetch_failed";

const sourceSchema = z.object({
  remote_engine_id: z.string(),
  remote_request_id: z.string(),
  remote_host: z.string(),
  remote_port: z.number().int().min(1).max(65_535),
});

/** Undefined when a parameter that a fetch needs is missing. */
export function readSource(params: Readonly<Record<string, unknown>>): KvSource | undefined {
  const { success, data } = sourceSchema.safeParse(params);
  if (!success) return undefined;
  return {
    engineId: data.remote_engine_id,
    requestId: data.remote_request_id,
    host: data.remote_host,
    port: data.remote_port,
  };
}

/** The request's `kv_transfer_params`; undefined when it has none. */
export function kvTransferParamsOf(
  request: InferenceRequest,
): Readonly<Record<string, unknown>> | undefined {
  const params = request.fields["kv_transfer_params"];
  return typeof params === "object" && params !== null
    ? (params as Record<string, unknown>)
    : undefined;
}

const fetchSchema = z.object({
  engineId: z.string(),
  requestId: z.string(),
  promptHash: z.string(),
  seal: z.string(),
});
const nameSchema = z.object({ requestId: z.string() });
const refusalSchema = z.object({ reason: z.enum(["unknown", "wrong_prompt", "mangled_params"]) });

const malformed: RouteResponse = { status: 400, json: "{}" };

/** One engine's side of the transfer, whether it holds the KV or fetches it. */
export class KvPull {
  readonly #engine: EngineContext;
  #nextHold = 0;
  #nextBlock = 1;

  constructor(engine: EngineContext) {
    this.#engine = engine;
  }

  /** For the side port of an engine that holds KV. */
  get sideRoutes(): RouteTable {
    return {
      "POST /kv/fetch": ({ body }) => this.#respondToFetch(body),
      "POST /kv/release": ({ body }) =>
        this.#named(body, (requestId) => this.#engine.kvStore.release(requestId)),
      "POST /kv/renew": ({ body }) =>
        this.#named(body, (requestId) => this.#engine.kvStore.renew(requestId)),
    };
  }

  /** A new id for KV to hold. vLLM makes it unique in the same way, because clients may send the same id twice. */
  newSource(request: InferenceRequest, requestId: string): KvSource {
    const { engineId, address } = this.#engine;
    const suffix = (this.#nextHold++).toString(16).padStart(8, "0");
    return {
      engineId,
      requestId: `${request.idPrefix}-${requestId}-0-${suffix}`,
      host: address.host,
      port: address.sidePort,
    };
  }

  /** The numbers of the blocks that this prompt's KV takes, per group of layers: there is one. */
  newBlocks(request: InferenceRequest): [number[]] {
    const count = Math.ceil(request.promptTokens / blockTokens);
    const first = this.#nextBlock;
    this.#nextBlock += count;
    return [Array.from({ length: count }, (_, index) => first + index)];
  }

  /**
   * Holds the prompt's KV until it is fetched with the same seal, released, or its lease ends.
   *
   * @returns releases it
   */
  hold(source: KvSource, request: InferenceRequest, seal: string): () => void {
    const { promptHash, promptTokens: tokens } = request;
    const { requestId } = source;
    this.#engine.kvStore.hold({ requestId, promptHash, seal: hashOf(seal), tokens });
    return () => void this.#engine.kvStore.release(requestId);
  }

  async fetch(source: KvSource, request: InferenceRequest, seal: string): Promise<PullOutcome> {
    const { engineId, requestId } = source;
    const body = { engineId, requestId, promptHash: request.promptHash, seal: hashOf(seal) };
    const response = await this.#call(source, "/kv/fetch", body);
    if (response?.status === 200) return "ok";
    if (response?.status !== 409) return "fetch_failed";
    return refusalSchema.parse(JSON.parse(response.text)).reason;
  }

  release(source: KvSource): void {
    void this.#call(source, "/kv/release", { requestId: source.requestId });
  }

  renew(source: KvSource): void {
    void this.#call(source, "/kv/renew", { requestId: source.requestId });
  }

  #call(source: KvSource, path: string, body: object) {
    return this.#engine.peers.call(httpOrigin(source.host, source.port) + path, { body });
  }

  #respondToFetch(body: unknown): RouteResponse {
    const parsed = fetchSchema.safeParse(body);
    if (!parsed.success) return malformed;
    const { engineId, requestId, promptHash, seal } = parsed.data;
    const name = engineId === this.#engine.engineId ? requestId : "";
    const kv = this.#engine.kvStore.take(name, promptHash, seal);
    if (typeof kv === "string") return { status: 409, json: JSON.stringify({ reason: kv }) };
    const response = { tokens: kv.tokens, bytes: kv.tokens * kvBytesPerToken };
    return { status: 200, json: JSON.stringify(response) };
  }

  #named(body: unknown, act: (requestId: string) => boolean): RouteResponse {
    const parsed = nameSchema.safeParse(body);
    if (!parsed.success) return malformed;
    return { status: 200, json: JSON.stringify({ found: act(parsed.data.requestId) }) };
  }
}

/** The block numbers of a long prompt are megabytes, which no call between engines has to carry. */
function hashOf(seal: string): string {
  return createHash("sha256").update(seal).digest("hex");
}

/** The transfer parameters of a NIXL engine. `more` has further members, each after a comma. */
export function transferJson(source: KvSource, blocksJson: string, more: string): string {
  return (
    `{"do_remote_prefill":true,"do_remote_decode":false,` +
    `"remote_block_ids":${blocksJson},` +
    `"remote_engine_id":${JSON.stringify(source.engineId)},` +
    `"remote_request_id":${JSON.stringify(source.requestId)},` +
    `"remote_host":${JSON.stringify(source.host)},"remote_port":${source.port},"tp_size":1${more}}`
  );
}
