/**
 * vLLM's P2pNcclConnector with `send_type` PUT_ASYNC: the request id names both engines, prefill pushes the KV into the
 * decode engine before it responds, and decode waits for KV under its own id of the request. From vLLM's
 * `v1/p2p/p2p_nccl_connector.py` and `p2p_nccl_engine.py`. The side port replaces the ZMQ address.
 */

import { randomBytes } from "node:crypto";
import { z } from "zod";
import { RequestError } from "../../http/request-error.ts";
import type { InferenceRequest } from "../../request/inference-request.ts";
import type { Dialect, EngineContext, Leg, Origin } from "../dialect.ts";
import { readSettings } from "../settings.ts";
import { KvParking } from "../shared/kv-parking.ts";
import { ProxyRegistration, registrationSettings } from "../shared/proxy-registration.ts";

const settingsSchema = z.strictObject({
  /** How long decode waits for KV. A real engine waits without limit. */
  receiveTimeoutMs: z.coerce.number().int().min(1).default(86_400_000),
  /**
   * vLLM 0.14 and later, unless `VLLM_DISABLE_REQUEST_ID_RANDOMIZATION` is set: each engine appends 8 characters to its
   * ids.
   */
  randomIds: z.stringbool().default(false),
  ...registrationSettings,
});

/** The patterns of the connector. */
const decodeAddress = /___decode_addr_(.*):(\d+)/;
const prefillAddress = /___prefill_addr_(.*):(\d+)___/;

export const vllmP2pNccl: Dialect = {
  name: "vllm-p2p-nccl",
  roles: ["prefill", "decode"],
  connector: "P2pNcclConnector",

  create(engine, settings) {
    const { receiveTimeoutMs, randomIds, proxy, pingMs } = readSettings(settingsSchema, settings);
    const parking = new KvParking(engine, receiveTimeoutMs);
    const registration =
      proxy === undefined
        ? undefined
        : new ProxyRegistration({ proxy, pingMs }, engine.options.clock, () =>
            registrationOf(engine),
          );
    return {
      // Pushed KV stays for the life of the engine.
      kvLeaseMs: 86_400_000,
      sideRoutes: parking.sideRoutes,
      start: () => registration?.start(),
      close: () => registration?.close(),
      leg(request, { requestId }: Origin) {
        const suffix = randomIds ? `-${randomBytes(4).toString("hex")}` : "";
        const name = `${request.idPrefix}-${requestId}-0${suffix}`;
        return engine.role === "prefill"
          ? prefillLeg(engine, parking, request, name)
          : decodeLeg(engine, parking, request, name);
      },
    };
  },
};

function registrationOf({ role, address: { host, port, sidePort } }: EngineContext) {
  return {
    type: role === "prefill" ? "P" : "D",
    http_address: `${host}:${port}`,
    zmq_address: `${host}:${sidePort}`,
  };
}

function prefillLeg(
  engine: EngineContext,
  parking: KvParking,
  request: InferenceRequest,
  name: string,
): Leg {
  if (request.lengths.maxTokens !== 1) engine.violation("A prefill was not for one token.");
  if (request.n > 1) engine.violation("A prefill was for more than one choice.");
  const [, host, port] = decodeAddress.exec(name) ?? [];
  if (host === undefined) throw noAddress(engine, name);
  parking.use(name);
  return {
    async deliver(_finish, signal) {
      if (await parking.putTo(`http://${host}:${port}`, name, request, signal)) return {};
      throw new RequestError(
        500,
        "InternalServerError",
        "The decode engine did not accept the KV.",
      );
    },
  };
}

function decodeLeg(
  engine: EngineContext,
  parking: KvParking,
  request: InferenceRequest,
  name: string,
): Leg {
  if (request.n > 1) engine.violation("A decode was for more than one choice.");
  if (!prefillAddress.test(name)) throw noAddress(engine, name);
  return {
    async acquire(signal) {
      const outcome = await parking.take(name, request, signal);
      if (outcome !== "ok") {
        throw new RequestError(500, "InternalServerError", `No KV has come (${outcome}).`);
      }
      await engine.sleep(engine.options.kvTransferMs, signal);
      return { kv: "remote" };
    },
    // The KV is freed with the request.
    abandon: () => parking.free(name),
  };
}

function noAddress(engine: EngineContext, name: string): RequestError {
  const text = `Request id ${name} does not contain hostname and port`;
  engine.violation(text);
  return new RequestError(500, "InternalServerError", text);
}
