/** What can be said of an engine beside its address, by name. A dialect's page says which of them it reads. */
import { didYouMean } from "../problems/suggest.ts";

/** Each with what it means. */
export const engineAttributes = {
  bootstrap_port: "port of its bootstrap server (SGLang, Mooncake)",
  bootstrap_host: "host of its bootstrap server, where that is not the engine's own",
  cache_hit_threshold: "share of the prompt that must be cached for decode to answer alone",
  ctx_dp_rank: "the only data-parallel rank of a TensorRT-LLM context server",
  ctx_info_endpoint: "where a TensorRT-LLM context engine tells of itself",
  dp_size: "number of its data-parallel ranks",
  engine_id: "the id by which its KV connector knows it",
  handshake_port: "port of its KV connector's handshake",
  internal_request_auth_key:
    "the key by which a TensorRT-LLM generation server knows that a hand-over is from a proxy",
  kv_events_port: "port where it publishes KV events",
  kv_port: "port of its KV connector",
  kv_replay_port: "port where it is asked for KV events that were missed",
  notify_port: "port of its KV connector's notifications",
  pp_size: "number of its pipeline-parallel ranks",
  remote_host:
    "where decode engines reach its KV connector, or `address` for the engine's own host",
  tp_size: "number of its tensor-parallel ranks",
  transfer_mode: "`READ` or `WRITE` (MoRI-IO)",
  zmq_address: "`host:port` of its KV connector (P2P NCCL, MoRI-IO)",
} as const;

const names: readonly string[] = Object.keys(engineAttributes);

export function isEngineAttribute(name: string): boolean {
  return Object.hasOwn(engineAttributes, name);
}

/** What to write in place of a name that is none, as a sentence without a full stop. */
export function attributeHint(name: string): string {
  return didYouMean(name, names) ?? `known: ${names.join(", ")}`;
}
