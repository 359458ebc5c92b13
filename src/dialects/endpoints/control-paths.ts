/**
 * Paths by which engines are controlled or show what is not for clients: the last segment, or the first of several.
 * They are for operators, whatever stands before or behind them in a path. Sources: vllm `entrypoints/serve/…`,
 * `entrypoints/openai/api_server.py`; sglang `entrypoints/http_server.py`; TensorRT-LLM `serve/openai_server.py`;
 * Dynamo's frontend has `busy_threshold`; vllm-ascend adds `metaserver`, which is the proxy's own.
 */

export interface ControlGroup {
  /** What a client could do with them, as a phrase. */
  readonly effect: string;
  readonly names: readonly string[];
}

export const controlGroups: readonly ControlGroup[] = [
  {
    effect: "stop, pause or abort the work of others",
    names: [
      "shutdown",
      "abort",
      "abort_request",
      "abort_requests",
      "pause",
      "resume",
      "is_paused",
      "pause_generation",
      "continue_generation",
      "slow_down",
      "scale_elastic_ep",
      "is_scaling_elastic_ep",
    ],
  },
  {
    effect: "free or take the engine's memory",
    names: [
      "sleep",
      "wake_up",
      "is_sleeping",
      "release_memory",
      "resume_memory",
      "release_memory_occupation",
      "resume_memory_occupation",
      "freeze_gc",
    ],
  },
  {
    effect: "drop or move caches",
    names: [
      "flush_cache",
      "reset_prefix_cache",
      "reset_mm_cache",
      "reset_encoder_cache",
      "clear_hicache_storage_backend",
      "hicache",
      "attach_hicache_storage",
      "detach_hicache_storage",
      "kv_cache_events",
      "kv_cache",
    ],
  },
  {
    effect: "change the model",
    names: [
      "load_lora_adapter",
      "unload_lora_adapter",
      "load_lora_adapter_from_tensors",
      "init_weight_transfer_engine",
      "start_weight_update",
      "finish_weight_update",
      "update_weights",
      "reload_weights",
      "update_weights_from_disk",
      "update_weights_from_tensor",
      "update_weights_from_distributed",
      "update_weights_from_ipc",
      "update_weight_version",
      "init_weights_update_group",
      "destroy_weights_update_group",
      "init_weights_send_group_for_remote_instance",
      "send_weights_to_remote_instance",
      "get_weights_by_name",
      "weights_checker",
      "post_process_weights",
      "update_weights_from_gpu_delta",
      "prepare_gpu_delta",
      "resume_gpu_delta",
      "clear_gpu_delta_state",
      "get_gpu_delta_info",
      "get_gpu_delta_status",
      "add_external_corpus",
      "remove_external_corpus",
      "list_external_corpora",
      "remote_instance_transfer_engine_info",
      "get_remote_instance_transfer_engine_info",
    ],
  },
  {
    effect: "run code, change settings, record",
    names: [
      "collective_rpc",
      "debug",
      "dumper",
      "configure_logging",
      "set_internal_state",
      "set_trace_level",
      "busy_threshold",
      "start_profile",
      "stop_profile",
      "profile",
      "start_expert_distribution_record",
      "stop_expert_distribution_record",
      "dump_expert_distribution_record",
    ],
  },
  {
    effect: "show settings, load and other clients' work",
    names: [
      "server_info",
      "get_server_info",
      "get_internal_state",
      "get_world_size",
      "get_load",
      "load",
      "loads",
      "perf_metrics",
      "steady_clock_offset",
      "cluster_info",
    ],
  },
  { effect: "answer an engine in the proxy's place", names: ["metaserver"] },
];

const controlNames: ReadonlySet<string> = new Set(controlGroups.flatMap(({ names }) => names));

/** @param segment of a path, decoded, in any case */
export function isControlName(segment: string): boolean {
  return controlNames.has(segment.trim().toLowerCase());
}

/** In the name of a path that the proxy does not know, they say that it controls something. */
const controlWords: readonly string[] = [
  "abort",
  "shutdown",
  "stop",
  "exit",
  "quit",
  "drain",
  "terminate",
  "kill",
  "restart",
  "sleep",
  "sleeping",
  "wake",
  "pause",
  "freeze",
  "flush",
  "reset",
  "evict",
  "clear",
  "purge",
  "destroy",
  "delete",
  "remove",
  "unload",
  "offload",
  "inject",
  "corpus",
  "cache",
  "hicache",
  "weight",
  "weights",
  "lora",
  "reload",
  "profile",
  "profiler",
  "rpc",
  "debug",
  "dumper",
];
const words: ReadonlySet<string> = new Set(controlWords);

/** @param segment of a path, decoded, in any case */
export function hasControlWord(segment: string): boolean {
  return segment
    .toLowerCase()
    .split(/[^a-z]+/)
    .some((word) => words.has(word));
}
