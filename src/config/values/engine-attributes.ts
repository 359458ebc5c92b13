/** Attributes that an engine may have beside its address. The page of a dialect says which of them it reads. */
import { didYouMean } from "../problems/suggest.ts";

/** Name → meaning. */
export const engineAttributes = {
  bootstrap_port: "port of its bootstrap server (SGLang, Mooncake)",
  bootstrap_host: "host of its bootstrap server, if that is not the engine's own",
  cache_hit_threshold: "share of the prompt that decode must have cached to need no prefill",
  ctx_dp_rank: "the only data-parallel rank of a TensorRT-LLM context server",
  ctx_info_endpoint: "where a TensorRT-LLM context server describes itself",
  dp_size: "number of its data-parallel ranks",
  engine_id: "its id at its KV connector",
  handshake_port: "port of its KV connector's handshake",
  internal_request_auth_key:
    "key that proves to a TensorRT-LLM generation server that a request comes from a proxy",
  kv_events_port: "port at which it publishes KV events",
  kv_port: "port of its KV connector",
  kv_replay_port: "port at which missed KV events are requested again",
  notify_port: "port of its KV connector's notifications",
  pp_size: "number of its pipeline-parallel ranks",
  remote_host:
    "host of its KV connector for decode engines, or `address` for the engine's own host",
  tp_size: "number of its tensor-parallel ranks",
  transfer_mode: "`READ` or `WRITE` (MoRI-IO)",
  zmq_address: "`host:port` of its KV connector (P2P NCCL, MoRI-IO)",
} as const;

const names: readonly string[] = Object.keys(engineAttributes);

export function isEngineAttribute(name: string): boolean {
  return Object.hasOwn(engineAttributes, name);
}

/** What to write instead of an unknown name, as a sentence without a full stop. */
export function attributeHint(name: string): string {
  return didYouMean(name, names) ?? `valid: ${names.join(", ")}`;
}
