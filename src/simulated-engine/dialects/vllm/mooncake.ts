/**
 * vLLM's MooncakeConnector. Prefill parks KV under the request's transfer id; decode asks the bootstrap server for the
 * engine and waits for the KV of that id. Without those parameters it silently computes the prompt. In the older
 * generation both engines identify the KV by their ids of the request. From vLLM's `v1/mooncake/mooncake_connector.py`
 * and `mooncake_utils.py`.
 */

import { randomBytes } from "node:crypto";
import { z } from "zod";
import { RequestError } from "../../http/request-error.ts";
import type { InferenceRequest } from "../../request/inference-request.ts";
import type { Acquired, Dialect, EngineContext, Leg, Origin } from "../dialect.ts";
import { readSettings } from "../settings.ts";
import { KvParking } from "../shared/kv-parking.ts";
import { kvTransferParamsOf } from "../shared/kv-pull.ts";

const settingsSchema = z.strictObject({
  /** `older`: no transfer ids, until early 2026. */
  generation: z.enum(["newer", "older"]).default("newer"),
  /** `VLLM_MOONCAKE_ABORT_REQUEST_TIMEOUT`: how long decode waits for KV, and KV for decode. */
  timeoutMs: z.coerce.number().int().min(1).default(480_000),
  /** vLLM's `kv_load_failure_policy`. */
  loadFailure: z.enum(["fail", "recompute"]).default("fail"),
  /**
   * vLLM 0.14 and later, unless `VLLM_DISABLE_REQUEST_ID_RANDOMIZATION` is set: each engine appends 8 characters to its
   * ids.
   */
  randomIds: z.stringbool().default(false),
});

type MooncakeSettings = z.output<typeof settingsSchema>;

/** Where decode finds the KV, and its name there. */
interface Source {
  readonly origin: string;
  /** Undefined = any engine at that address. */
  readonly engineId: string | undefined;
  readonly name: string;
}

const newerSource = z.object({
  remote_bootstrap_addr: z.string().startsWith("http://"),
  remote_engine_id: z.string(),
  transfer_id: z.string(),
});
const olderSource = z.object({
  bootstrap_server_host: z.string(),
  bootstrap_server_port: z.number().int(),
});
const ranksSchema = z.record(z.string(), z.object({ engine_id: z.string() }));

export const vllmMooncake: Dialect = {
  name: "vllm-mooncake",
  roles: ["prefill", "decode", "mixed"],
  connector: "MooncakeConnector",

  create(engine, settings) {
    const checked = readSettings(settingsSchema, settings);
    const mooncake = new Mooncake(engine, checked);
    return {
      kvLeaseMs: checked.timeoutMs,
      ...(engine.role === "decode" ? {} : { sideRoutes: mooncake.sideRoutes }),
      leg: (request, origin) => mooncake.leg(request, origin),
    };
  },
};

class Mooncake {
  readonly #engine: EngineContext;
  readonly #settings: MooncakeSettings;
  readonly #parking: KvParking;

  constructor(engine: EngineContext, settings: MooncakeSettings) {
    this.#engine = engine;
    this.#settings = settings;
    this.#parking = new KvParking(engine, settings.timeoutMs);
  }

  /** The bootstrap server, and the routes of parked KV. */
  get sideRoutes() {
    const { engineId, address } = this.#engine;
    return {
      ...this.#parking.sideRoutes,
      "GET /query": () => {
        const worker = `tcp://${address.host}:${address.sidePort}`;
        const ranks = { "0": { engine_id: engineId, worker_addr: { "0": { "0": worker } } } };
        return { status: 200, json: JSON.stringify(ranks) };
      },
    };
  }

  leg(request: InferenceRequest, origin: Origin): Leg {
    const { role } = this.#engine;
    const params = kvTransferParamsOf(request) ?? {};
    const name = this.#nameOf(request, origin, params);
    if (params["do_remote_prefill"] === true) {
      if (role === "prefill")
        this.#engine.violation("A request asked a prefill engine to fetch KV.");
      else return this.#decodeLeg(request, sourceOf(params, name));
    }
    if (params["do_remote_decode"] === true) {
      if (role === "decode") this.#engine.violation("A request asked a decode engine to hold KV.");
      else return this.#prefillLeg(request, name);
    }
    if (role === "prefill") this.#engine.violation("A prefill request did not ask to hold KV.");
    return role === "decode" ? this.#decodeLeg(request, undefined) : {};
  }

  /** The name by which both engines know the KV; undefined = the request has none. */
  #nameOf(
    request: InferenceRequest,
    { requestId }: Origin,
    params: Readonly<Record<string, unknown>>,
  ): string | undefined {
    if (this.#settings.generation === "newer") {
      const id = params["transfer_id"];
      return typeof id === "string" && id !== "" ? id : undefined;
    }
    const id = `${request.idPrefix}-${requestId}-0`;
    return this.#settings.randomIds ? `${id}-${randomBytes(4).toString("hex")}` : id;
  }

  #prefillLeg(request: InferenceRequest, name: string | undefined): Leg {
    if (request.lengths.maxTokens !== 1) this.#engine.violation("A prefill was not for one token.");
    if (request.n > 1) this.#engine.violation("A prefill was for more than one choice.");
    if (name === undefined) this.#engine.violation("A prefill had no transfer id.");
    else this.#parking.use(name);
    return {
      deliver: ({ reason }) => {
        // If the text ended by itself, no KV is parked and decode is not notified: it waits.
        if (name === undefined || reason !== "length") return {};
        this.#parking.park(name, request);
        return { undelivered: () => this.#parking.free(name) };
      },
    };
  }

  #decodeLeg(request: InferenceRequest, source: Source | undefined): Leg {
    if (source === undefined) {
      return { acquire: async () => ({ kv: "recompute", reason: "missing_params" }) };
    }
    const { origin, name } = source;
    let owesPull = true;
    return {
      acquire: async (signal) => {
        if (!(await this.#isThere(source, signal))) {
          owesPull = false;
          return this.#failed("unknown_engine");
        }
        const outcome = await this.#parking.fetchFrom(origin, name, request, signal);
        owesPull = false;
        return outcome === "ok" ? { kv: "remote" } : this.#failed(outcome);
      },
      // An empty pull, by which prefill frees the KV.
      abandon: () => {
        if (owesPull) this.#parking.freeAt(origin, name);
      },
    };
  }

  async #isThere({ origin, engineId }: Source, signal: AbortSignal): Promise<boolean> {
    const response = await this.#engine.peers.call(`${origin}/query`, { signal });
    if (response?.status !== 200) return false;
    const ranks = Object.values(ranksSchema.parse(JSON.parse(response.text)));
    return engineId === undefined || ranks.some(({ engine_id: id }) => id === engineId);
  }

  #failed(reason: string): Acquired {
    if (this.#settings.loadFailure === "recompute") return { kv: "recompute", reason };
    throw new RequestError(500, "InternalServerError", `KV load failed (${reason}).`);
  }
}

function sourceOf(
  params: Readonly<Record<string, unknown>>,
  name: string | undefined,
): Source | undefined {
  const newer = newerSource.safeParse(params).data;
  if (newer !== undefined && name === newer.transfer_id) {
    return { origin: newer.remote_bootstrap_addr, engineId: newer.remote_engine_id, name };
  }
  const older = olderSource.safeParse(params).data;
  if (older === undefined || name === undefined) return undefined;
  const origin = `http://${older.bootstrap_server_host}:${older.bootstrap_server_port}`;
  return { origin, engineId: undefined, name };
}
