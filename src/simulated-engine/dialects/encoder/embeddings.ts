/**
 * How embeddings get from encode engines to those that compute prompts, as vLLM's `--ec-transfer-config` selects it:
 * `shared` is its ECExampleConnector, a shared folder; `pull` is its ECCPUConnector with NIXL, where the encoder's
 * response says where an embedding is.
 */

import { z } from "zod";
import { httpOrigin } from "../../http/peers.ts";
import type { RouteTable } from "../../http/route-table.ts";
import { SharedStore, storePath } from "../../kv/shared-store.ts";
import { mediaItems } from "../../model/media-items.ts";
import type { InferenceRequest } from "../../request/inference-request.ts";
import type { ResponseExtras } from "../../request/response-extras.ts";
import type { EngineContext } from "../dialect.ts";
import { readSettings, readSpec } from "../settings.ts";

export interface Embeddings {
  /** On an encode engine: stores the embedding, and returns where it is. */
  put(hash: string, tokens: number): Promise<ResponseExtras>;
  /** On an engine that computes prompts: whether the embedding of each of the request's items could be loaded. */
  load(request: InferenceRequest): Promise<readonly boolean[]>;
  /** For the side port of an encode engine. */
  readonly sideRoutes?: RouteTable;
}

/** Throws an Error that says what is wrong with `spec`. */
export function embeddingsOf(spec: string, engine: EngineContext): Embeddings {
  const { name, settings } = readSpec(spec, "ec-transfer");
  if (name === "pull") {
    readSettings(z.strictObject({}), settings);
    return new PulledEmbeddings(engine);
  }
  if (name !== "shared") throw new Error(`unknown ec-transfer "${name}"; use shared or pull`);
  const { path } = readSettings(z.strictObject({ path: storePath }), settings);
  return new SharedEmbeddings(engine, path);
}

class SharedEmbeddings implements Embeddings {
  readonly #engine: EngineContext;
  readonly #store: SharedStore;

  constructor(engine: EngineContext, path: string) {
    this.#engine = engine;
    this.#store = new SharedStore(path);
  }

  async put(hash: string): Promise<ResponseExtras> {
    await this.#store.put(entryOf(hash));
    return {};
  }

  load(request: InferenceRequest): Promise<boolean[]> {
    if (request.fields["ec_transfer_params"] != null) {
      this.#engine.violation("A request contained ec_transfer_params.");
    }
    const { hashes } = mediaItems(request.fields);
    return Promise.all(
      hashes.map(async (hash) => (await this.#store.look(entryOf(hash))) === "ok"),
    );
  }
}

function entryOf(hash: string) {
  return { promptHash: `ec-${hash}`, promptTokens: 0 };
}

const handleSchema = z.looseObject({
  peer_host: z.string(),
  peer_port: z.number().int(),
  seal: z.string(),
});
const fetchSchema = z.object({ mm_hash: z.string(), seal: z.string() });

class PulledEmbeddings implements Embeddings {
  readonly #engine: EngineContext;

  constructor(engine: EngineContext) {
    this.#engine = engine;
  }

  /** A fetch does not remove the embedding: other requests may have the same image. */
  get sideRoutes(): RouteTable {
    return {
      "POST /ec/fetch": ({ body }) => {
        const parsed = fetchSchema.safeParse(body).data;
        const isThere =
          parsed?.seal === this.#engine.engineId && this.#engine.kvStore.renew(parsed.mm_hash);
        return { status: isThere ? 200 : 404, json: "{}" };
      },
    };
  }

  async put(hash: string, tokens: number): Promise<ResponseExtras> {
    const { engineId, address, kvStore } = this.#engine;
    if (!kvStore.renew(hash)) {
      kvStore.hold({ requestId: hash, promptHash: hash, seal: engineId, tokens });
    }
    const { host, sidePort } = address;
    // A proxy must not parse and print the number: no double holds it.
    const handle =
      `{"metadata":{"image_grid_thw":[[1,4,4]]},"peer_host":${JSON.stringify(host)},` +
      `"peer_port":${sidePort},"seal":"${engineId}","size_bytes":${bigNumber}}`;
    return { top: { ec_transfer_params: `{"${hash}":${handle}}` } };
  }

  load(request: InferenceRequest): Promise<boolean[]> {
    const params = request.fields["ec_transfer_params"] as Record<string, unknown> | null;
    const { hashes } = mediaItems(request.fields);
    if (params != null && !request.bodyText.includes(bigNumber)) {
      this.#engine.violation("ec_transfer_params came back changed.");
    }
    return Promise.all(hashes.map((hash) => this.#pull(hash, params?.[hash])));
  }

  async #pull(hash: string, handle: unknown): Promise<boolean> {
    const { success, data } = handleSchema.safeParse(handle);
    if (!success) return false;
    const url = `${httpOrigin(data.peer_host, data.peer_port)}/ec/fetch`;
    const response = await this.#engine.peers.call(url, {
      body: { mm_hash: hash, seal: data.seal },
    });
    return response?.status === 200;
  }
}

const bigNumber = "18446744073709551557";
