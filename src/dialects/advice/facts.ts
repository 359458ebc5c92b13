/** What an engine says of its version and configuration: the facts that advice goes by. Nothing here asks anybody. */

import { type EngineResponses, serverInfo } from "../definition.ts";

/** The version, as vLLM and TensorRT-LLM say it; SGLang says it in `/server_info`. */
export const versionPath = "/version";

/** What is not known is undefined: most of it shows in development mode alone (`VLLM_SERVER_DEV_MODE=1`). */
export interface EngineFacts {
  readonly version: string | undefined;
  /** vLLM's class of the KV connector. */
  readonly connector: string | undefined;
  /** vLLM's `kv_role`, or SGLang's `disaggregation_mode`. */
  readonly role: string | undefined;
  readonly model: string | undefined;
  /** Of prompt and response together, in tokens. */
  readonly maxModelLen: number | undefined;
  readonly dtype: string | undefined;
  readonly kvCacheDtype: string | undefined;
  /** Tokens in a block of the KV cache. */
  readonly blockTokens: number | undefined;
  readonly prefixCaching: boolean | undefined;
  readonly tensorParallelSize: number | undefined;
  /** Where NIXL's handshakes are served, as decode engines are told. */
  readonly sideChannelHost: string | undefined;
  /** Where a Mooncake prefill engine says who it is. */
  readonly bootstrapPort: number | undefined;
  readonly isInDevMode: boolean | undefined;
  /** As in `--kv-events-config`; undefined = it publishes none, or does not show it. */
  readonly kvEvents:
    | { readonly endpoint: string; readonly replayEndpoint: string | undefined }
    | undefined;
}

/** Of configurations that are no JSON, but Python's text of them. */
const connectorPattern = /kv_connector\\?["']?\s*[:=]\s*\\?["']?(\w+)/;
const rolePattern = /kv_role\\?["']?\s*[:=]\s*\\?["']?(kv_\w+)/;

/** @param responses bodies of 200s, by the path of the question */
export function readFacts(responses: EngineResponses): EngineFacts {
  const info = ofResponses(responses, [serverInfo.path, "/get_server_info"]);
  const config = member(info, "vllm_config") ?? {};
  const [model, cache, parallel, transfer, env] = [
    member(config, "model_config"),
    member(config, "cache_config"),
    member(config, "parallel_config"),
    member(config, "kv_transfer_config"),
    member(info, "vllm_env"),
  ];
  const version = ofResponses(responses, [versionPath]);
  const written = responses.get(serverInfo.path) ?? "";
  return {
    version: text(version?.["version"]) ?? text(info?.["version"]),
    connector: text(transfer?.["kv_connector"]) ?? connectorPattern.exec(written)?.[1],
    role:
      text(transfer?.["kv_role"]) ??
      text(info?.["disaggregation_mode"]) ??
      rolePattern.exec(written)?.[1],
    model: text(model?.["model"]) ?? text(info?.["model_path"]),
    maxModelLen: number(model?.["max_model_len"]),
    dtype: text(model?.["dtype"])?.replace(/^torch\./, ""),
    kvCacheDtype: text(cache?.["cache_dtype"]) ?? text(info?.["kv_cache_dtype"]),
    blockTokens: number(cache?.["block_size"]) ?? number(info?.["page_size"]),
    prefixCaching: prefixCachingOf(cache, info),
    tensorParallelSize: number(parallel?.["tensor_parallel_size"]) ?? number(info?.["tp_size"]),
    sideChannelHost: text(env?.["VLLM_NIXL_SIDE_CHANNEL_HOST"]),
    bootstrapPort: number(env?.["VLLM_MOONCAKE_BOOTSTRAP_PORT"]),
    isInDevMode: env === undefined ? undefined : true,
    kvEvents: kvEventsOf(member(config, "kv_events_config")),
  };
}

type Members = Readonly<Record<string, unknown>>;

function prefixCachingOf(cache: Members | undefined, info: Members | undefined) {
  const enabled = cache?.["enable_prefix_caching"];
  if (typeof enabled === "boolean") return enabled;
  const disabled = info?.["disable_radix_cache"];
  return typeof disabled === "boolean" ? !disabled : undefined;
}

function kvEventsOf(config: Members | undefined): EngineFacts["kvEvents"] {
  const endpoint = text(config?.["endpoint"]);
  if (config?.["enable_kv_cache_events"] !== true || endpoint === undefined) return undefined;
  return { endpoint, replayEndpoint: text(config["replay_endpoint"]) };
}

/** The first of the bodies that is an object. */
function ofResponses(responses: EngineResponses, paths: readonly string[]): Members | undefined {
  for (const path of paths) {
    try {
      const value: unknown = JSON.parse(responses.get(path) ?? "");
      if (isMembers(value)) return value;
    } catch {
      // Not every engine has the path, and not every server is an engine.
    }
  }
  return undefined;
}

function member(value: Members | undefined, name: string): Members | undefined {
  const found = value?.[name];
  return isMembers(found) ? found : undefined;
}

function isMembers(value: unknown): value is Members {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

function number(value: unknown): number | undefined {
  return typeof value === "number" && Number.isFinite(value) ? value : undefined;
}
