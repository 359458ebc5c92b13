/**
 * Omni-infer: prefill responds to every request for one token with KV-transfer parameters, and decode fetches with
 * them. One of the parameters is a number that no double holds, so that a proxy that parses and prints it is detected.
 */

import { z } from "zod";
import { integersOf } from "../../http/json-body.ts";
import type { InferenceRequest } from "../../request/inference-request.ts";
import type { Dialect, EngineContext, Leg, Origin } from "../dialect.ts";
import { readSettings } from "../settings.ts";
import { KvPull, kvTransferParamsOf, readSource, transferJson } from "../shared/kv-pull.ts";

const settingsSchema = z.strictObject({});

const fingerprintKey = "remote_kv_fingerprint";

export const omni: Dialect = {
  name: "omni",
  roles: ["prefill", "decode", "mixed"],

  create(engine, settings) {
    readSettings(settingsSchema, settings);
    const pull = new KvPull(engine);
    return {
      kvLeaseMs: 30_000,
      ...(engine.role === "decode" ? {} : { sideRoutes: pull.sideRoutes }),
      leg(request, origin) {
        const params = kvTransferParamsOf(request);
        if (engine.role === "prefill") return prefillLeg(engine, pull, request, origin);
        if (engine.role === "decode" || params?.["do_remote_prefill"] === true) {
          return decodeLeg(engine, pull, request);
        }
        // A mixed engine also serves ordinary one-token requests, so it holds KV only when the request says so.
        return params?.["do_remote_decode"] === true
          ? prefillLeg(engine, pull, request, origin)
          : {};
      },
    };
  },
};

function prefillLeg(
  engine: EngineContext,
  pull: KvPull,
  request: InferenceRequest,
  { requestId }: Origin,
): Leg {
  if (request.stream || request.lengths.maxTokens !== 1) {
    engine.violation("A prefill engine was asked for a stream or for more than one token.");
    return {};
  }
  // The first choice to end would free the blocks under the others (vLLM RFC 39647).
  if (request.n > 1) engine.violation("A prefill engine was asked for more than one choice.");
  return {
    deliver() {
      const source = pull.newSource(request, requestId);
      const fingerprint = fingerprintOf(request.promptHash);
      const undelivered = pull.hold(source, request, fingerprint);
      const more = `,"remote_num_tokens":${request.promptTokens},"${fingerprintKey}":${fingerprint}`;
      const params = transferJson(source, JSON.stringify(pull.newBlocks(request)), more);
      return { top: { kv_transfer_params: params }, undelivered };
    },
  };
}

function decodeLeg(engine: EngineContext, pull: KvPull, request: InferenceRequest): Leg {
  const params = kvTransferParamsOf(request);
  const source = params?.["do_remote_prefill"] === true ? readSource(params) : undefined;
  if (source === undefined) {
    return { acquire: async () => ({ kv: "recompute", reason: "missing_params" }) };
  }
  let owesRelease = true;
  return {
    async acquire(signal) {
      await engine.sleep(engine.options.kvTransferMs, signal);
      const fingerprint = integersOf(request.bodyText, fingerprintKey)[0] ?? "";
      const outcome = await pull.fetch(source, request, fingerprint);
      owesRelease = false;
      return outcome === "ok" ? { kv: "remote" } : { kv: "recompute", reason: outcome };
    },
    abandon() {
      if (owesRelease) pull.release(source);
    },
  };
}

/** An odd 63-bit number that follows from the prompt: no double holds it. */
function fingerprintOf(promptHash: string): string {
  const bits = BigInt(`0x${promptHash.slice(0, 15)}`);
  return String((1n << 62n) | (bits << 1n) | 1n);
}
