/**
 * vLLM's `/server_info`, which only engines in development mode have: their configuration, as `config_format=json`
 * prints it. From vLLM's `entrypoints/serve/dev/server_info/api_router.py`.
 */

import { blockTokens } from "../kv/prefix-cache.ts";
import type { EngineRole } from "../roles.ts";
import type { IncomingRequest, RouteContext } from "./handler.ts";

const kvRoles: Readonly<Record<EngineRole, string>> = {
  prefill: "kv_producer",
  decode: "kv_consumer",
  mixed: "kv_both",
  encode: "kv_both",
};

export function serverInfo({ core }: RouteContext, { reply }: IncomingRequest): void {
  const { options, connector, role, address } = core;
  if (!options.devMode) {
    reply.send(404, '{"detail":"Not Found"}');
    return;
  }
  const { model, maxModelLen, prefixCache, kvEvents, kvReplay } = options;
  const config = {
    model_config: {
      model,
      served_model_name: model,
      dtype: "bfloat16",
      max_model_len: maxModelLen,
    },
    cache_config: {
      block_size: blockTokens,
      cache_dtype: "auto",
      enable_prefix_caching: prefixCache || kvEvents > 0,
    },
    parallel_config: { tensor_parallel_size: 1 },
    kv_transfer_config:
      connector === undefined ? null : { kv_connector: connector, kv_role: kvRoles[role] },
    kv_events_config:
      kvEvents === 0
        ? null
        : {
            enable_kv_cache_events: true,
            publisher: "zmq",
            endpoint: `tcp://*:${kvEvents}`,
            replay_endpoint: kvReplay === 0 ? null : `tcp://*:${kvReplay}`,
            topic: "",
          },
  };
  const env = { VLLM_SERVER_DEV_MODE: true, VLLM_NIXL_SIDE_CHANNEL_HOST: address.host };
  reply.send(200, JSON.stringify({ vllm_config: config, vllm_env: env, system_env: {} }));
}
