/**
 * vLLM's MoRIIOConnector, in its modes READ and WRITE. Both engines know a transfer by its id and find each other by
 * the request id. In READ, decode fetches with the parameters of the prefill's response. In WRITE, decode says where it
 * wants the KV, and waits until prefill has written it. From vLLM's `v1/moriio/moriio_common.py` and
 * `moriio_connector.py`. The side port replaces `notify_port`.
 */

import { z } from "zod";
import { httpOrigin } from "../../http/peers.ts";
import { RequestError } from "../../http/request-error.ts";
import type { InferenceRequest } from "../../request/inference-request.ts";
import type { Dialect, EngineContext, Leg, Origin } from "../dialect.ts";
import { readSettings } from "../settings.ts";
import { KvParking } from "../shared/kv-parking.ts";
import { kvTransferParamsOf } from "../shared/kv-pull.ts";
import { ProxyRegistration, registrationSettings } from "../shared/proxy-registration.ts";

const settingsSchema = z.strictObject({
  /** The connector's `transfer_timeout`: how long decode waits for KV. */
  transferTimeoutMs: z.coerce.number().int().min(1).default(30_000),
  /** The connector's `defer_timeout`: how long KV is held for decode. */
  deferTimeoutMs: z.coerce.number().int().min(1).default(60_000),
  ...registrationSettings,
});

type MoriioMode = "read" | "write";

/** The patterns of the connector. */
const prefillAddress = /___prefill_addr_(.+?)___decode_addr_/;
const decodeAddress = /___decode_addr_(.+)_[0-9a-f]{32}(?:-.*)?$/;

export const moriioRead: Dialect = dialectOf("moriio-read", "read");
export const moriioWrite: Dialect = dialectOf("moriio-write", "write");

function dialectOf(name: string, mode: MoriioMode): Dialect {
  return {
    name,
    roles: ["prefill", "decode"],

    create(engine, settings) {
      const checked = readSettings(settingsSchema, settings);
      const { transferTimeoutMs, deferTimeoutMs, proxy, pingMs } = checked;
      const moriio = new Moriio(engine, mode, transferTimeoutMs);
      const registration =
        proxy === undefined
          ? undefined
          : new ProxyRegistration(
              { proxy, pingMs },
              engine.options.clock,
              () => moriio.registration,
            );
      return {
        kvLeaseMs: deferTimeoutMs,
        sideRoutes: moriio.sideRoutes,
        start: () => registration?.start(),
        close: () => registration?.close(),
        leg: (request, origin) => moriio.leg(request, origin),
      };
    },
  };
}

class Moriio {
  readonly #engine: EngineContext;
  readonly #mode: MoriioMode;
  readonly #parking: KvParking;
  #nextBlock = 1;

  constructor(engine: EngineContext, mode: MoriioMode, waitMs: number) {
    this.#engine = engine;
    this.#mode = mode;
    this.#parking = new KvParking(engine, waitMs);
  }

  get sideRoutes() {
    return this.#parking.sideRoutes;
  }

  /** The message with which it registers. */
  get registration() {
    const { host, port, sidePort } = this.#engine.address;
    return {
      type: this.#engine.role === "prefill" ? "P" : "D",
      http_address: `${host}:${port}`,
      zmq_address: `host:${host},handshake:${sidePort},notify:${sidePort}`,
      dp_size: 1,
      tp_size: 1,
      transfer_mode: this.#mode.toUpperCase(),
    };
  }

  leg(request: InferenceRequest, { requestId }: Origin): Leg {
    const isPrefill = this.#engine.role === "prefill";
    const params = kvTransferParamsOf(request);
    const flag = isPrefill ? "do_remote_decode" : "do_remote_prefill";
    if (params?.[flag] !== true) throw this.#reject(`A request came without ${flag}.`);
    const transferId = params["transfer_id"];
    if (typeof transferId !== "string" || !transferId.startsWith("tx")) {
      throw this.#reject("A request came without a transfer id that begins with tx.");
    }
    if (request.n > 1) this.#engine.violation("A request was for more than one choice.");
    const pattern = isPrefill ? decodeAddress : prefillAddress;
    const origin = originOf(pattern.exec(`${request.idPrefix}-${requestId}-0`)?.[1]);
    if (origin === undefined) throw this.#reject(`Cannot parse peer zmq_address of ${requestId}`);
    return isPrefill
      ? this.#prefillLeg(request, transferId)
      : this.#decodeLeg(request, transferId, origin, params);
  }

  #prefillLeg(request: InferenceRequest, transferId: string): Leg {
    const engine = this.#engine;
    if (request.stream)
      engine.violation("A prefill was streamed: its response has no KV-transfer parameters.");
    if (request.lengths.maxTokens !== 1) engine.violation("A prefill was not for one token.");
    this.#parking.use(transferId);
    return {
      deliver: ({ reason }) => {
        if (reason !== "length") return {};
        const blocks = JSON.stringify([this.#nextBlock++]);
        this.#parking.park(transferId, request, this.#mode === "read" ? blocks : "");
        const { host, sidePort } = engine.address;
        // Ports are strings where the configuration has strings.
        const params =
          `{"do_remote_prefill":true,"do_remote_decode":false,"remote_block_ids":${blocks},` +
          `"remote_engine_id":${JSON.stringify(this.#engineId)},"remote_host":${JSON.stringify(host)},` +
          `"remote_handshake_port":"${sidePort}","remote_notify_port":"${sidePort}",` +
          `"remote_dp_size":1,"tp_size":1,"transfer_id":${JSON.stringify(transferId)}}`;
        return {
          top: { kv_transfer_params: params },
          undelivered: () => this.#parking.free(transferId),
        };
      },
    };
  }

  #decodeLeg(
    request: InferenceRequest,
    transferId: string,
    origin: string,
    params: Readonly<Record<string, unknown>>,
  ): Leg {
    const isRead = this.#mode === "read";
    const blocks = JSON.stringify(params["remote_block_ids"] ?? null);
    if (isRead && (blocks === "null" || typeof params["remote_engine_id"] !== "string")) {
      // A real engine would generate from uninitialised memory.
      throw this.#reject("A decode came without the blocks to read.");
    }
    let owesRelease = true;
    return {
      acquire: async (signal) => {
        const seal = isRead ? blocks : "";
        const outcome = await this.#parking.fetchFrom(origin, transferId, request, signal, seal);
        owesRelease = false;
        if (outcome === "ok") return { kv: "remote" };
        throw new RequestError(500, "InternalServerError", `Transfer failed (${outcome}).`);
      },
      abandon: () => {
        if (owesRelease) this.#parking.freeAt(origin, transferId);
      },
    };
  }

  get #engineId(): string {
    const { host, sidePort } = this.#engine.address;
    return `${host}:${sidePort}`;
  }

  #reject(text: string): RequestError {
    this.#engine.violation(text);
    return new RequestError(500, "InternalServerError", text);
  }
}

/** Of `host:IP,handshake:PORT,notify:PORT`; an IPv6 address has colons of its own. */
function originOf(address: string | undefined): string | undefined {
  const parts = new Map<string, string>();
  for (const part of address?.split(",") ?? []) {
    const colon = part.indexOf(":");
    parts.set(part.slice(0, colon), part.slice(colon + 1));
  }
  const port = Number(parts.get("notify"));
  const host = parts.get("host");
  if (host === undefined || !/^\d+$/.test(parts.get("handshake") ?? "")) return undefined;
  return Number.isInteger(port) && port > 0 ? httpOrigin(host, port) : undefined;
}
