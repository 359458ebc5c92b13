/**
 * vLLM's ExampleConnector (formerly SharedStorageConnector), LMCache and MooncakeStore as stores: prefill writes the KV
 * of each prompt to a place that decode reads. No request mentions it; decode silently computes what it does not find
 * there.
 */

import { z } from "zod";
import { SharedStore, storePath } from "../../kv/shared-store.ts";
import type { InferenceRequest } from "../../request/inference-request.ts";
import type { Dialect, EngineContext, Leg } from "../dialect.ts";
import { readSettings } from "../settings.ts";

const settingsSchema = z.strictObject({
  /** The folder that all engines share; vLLM's `shared_storage_path`. */
  path: storePath,
});

/** Fields of other protocols, which a request to such an engine must not contain. */
const foreignFields = ["kv_transfer_params", "cache_hit_threshold"];

export const sharedStorage: Dialect = {
  name: "shared-storage",
  roles: ["prefill", "decode", "mixed"],
  connector: "ExampleConnector",

  create(engine, settings) {
    const store = new SharedStore(readSettings(settingsSchema, settings).path);
    return {
      kvLeaseMs: 0,
      leg(request) {
        for (const field of foreignFields) {
          if (request.fields[field] != null) engine.violation(`A request contained ${field}.`);
        }
        if (engine.role === "prefill") return prefillLeg(engine, store, request);
        return loadingLeg(engine, store, request);
      },
    };
  },
};

function prefillLeg(engine: EngineContext, store: SharedStore, request: InferenceRequest): Leg {
  if (request.lengths.maxTokens !== 1) engine.violation("A prefill was not for one token.");
  if (request.n > 1) engine.violation("A prefill was for more than one choice.");
  return storingLeg(store, request);
}

function loadingLeg(engine: EngineContext, store: SharedStore, request: InferenceRequest): Leg {
  const isAlone = engine.role === "mixed";
  return {
    // A mixed engine stores what it computes for the others.
    ...(isAlone ? storingLeg(store, request) : {}),
    async acquire(signal) {
      const outcome = await store.look(request);
      if (outcome !== "ok")
        return isAlone ? { kv: "compute" } : { kv: "recompute", reason: outcome };
      await engine.sleep(engine.options.kvTransferMs, signal);
      return { kv: "remote" };
    },
  };
}

/** The KV is in the folder before the response ends: the decode request comes after that. */
function storingLeg(store: SharedStore, request: InferenceRequest): Leg {
  return {
    async deliver() {
      await store.put(request);
      return {};
    },
  };
}
