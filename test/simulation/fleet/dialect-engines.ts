/**
 * How the engines of each dialect pass a KV cache on, as strictly as real ones do: a decode engine looks whether what
 * its request names is there, and is of its prompt.
 */
import type { DialectName } from "../../../src/dialects/registry.ts";
import type { EngineConnection } from "../engine.ts";
import { response } from "../engine.ts";
import type { FleetEngines, Handler, Visit } from "./fleet-engines.ts";
import { idsOf } from "./generation.ts";
import { contentOf, type KvBook } from "./kv-book.ts";

interface Pair {
  readonly prefill: Handler;
  readonly decode: Handler;
}

/** Each dialect that there is: a new one does not compile without its engines. */
export const pairs: Readonly<Record<DialectName, (engines: FleetEngines) => Pair>> = {
  omni: (engines) => named(engines, []),
  "vllm-nixl": (engines) => named(engines, ["do_remote_decode"]),
  "vllm-ascend": (engines) => named(engines, ["do_remote_decode"]),
  "moriio-read": (engines) => named(engines, ["do_remote_decode", "transfer_id"]),
  "vllm-mooncake-v0": (engines) => byRequestId(engines, () => true),
  "vllm-p2p-nccl": (engines) =>
    byRequestId(engines, (id, host, role) => id.includes(`___${role}_addr_${host}:14579_`)),
  "vllm-mooncake": (engines) => meeting(engines, /"transfer_id":"(xfer-[^"]+)"/),
  "moriio-write": (engines) => meeting(engines, /"transfer_id":"(tx-[^"]+)"/),
  sglang: (engines) => meeting(engines, /"bootstrap_room":(\d+)/),
  "trtllm-gen-first": (engines) => meeting(engines, /"disagg_request_id":(\d+)/),
  "shared-storage": (engines) => sharing(engines),
  "cache-threshold": (engines) => withThreshold(engines),
  "vllm-ascend-layerwise": (engines) => callingBack(engines),
  trtllm: (engines) => contextFirst(engines),
  plain: (engines) => ({ prefill: () => "a prefill", decode: alone(engines) }),
};

type Params = Readonly<Record<string, unknown>>;

const paramsOf = ({ asked }: Visit): Params | undefined =>
  (asked.json["kv_transfer_params"] ?? undefined) as Params | undefined;

function wrongPrefill({ asked }: Visit): string | undefined {
  const isOne = asked.json["max_tokens"] === 1 && !asked.stream;
  return isOne ? undefined : "no request for one token in one piece";
}

const alone =
  (engines: FleetEngines): Handler =>
  (visit) => {
    engines.respondDecode(visit, true);
    return undefined;
  };

/** A decode request that names no KV cache. */
function decodeAlone(engines: FleetEngines, visit: Visit): string | undefined {
  if (!engines.rules.mayComputeAlone) return "a decode without a KV cache";
  return alone(engines)(visit);
}

function decodeFrom(engines: FleetEngines, visit: Visit, kv: KvBook, name: string) {
  const wrong = kv.fetch(name, visit.asked);
  if (wrong === undefined || mayRelease(visit)) engines.respondDecode(visit);
  return mayRelease(visit) ? undefined : wrong;
}

/** It may be sent only to free a KV cache, which may not be there. */
function mayRelease({ asked }: Visit): boolean {
  return asked.stream && asked.maxTokens === 1;
}

/** The prefill's response names the KV cache. @param due members of the prefill's parameters */
function named(engines: FleetEngines, due: readonly string[]): Pair {
  const { kv } = engines;
  return {
    prefill(visit) {
      const params = paramsOf(visit) ?? {};
      if (due.some((name) => !params[name])) return "transfer parameters are missing";
      if (due.length === 0 && paramsOf(visit) !== undefined) return "transfer parameters";
      const wrong = wrongPrefill(visit);
      if (wrong !== undefined) return wrong;
      const name = kv.newName();
      kv.put(name, visit.asked);
      const where = `"remote_engine_id":"${name}","remote_block_ids":[18446744073709551615]`;
      const role = `"do_remote_prefill":true,"do_remote_decode":false`;
      engines.respondPrefill(visit, `,"kv_transfer_params":{${role},${where}}`);
      return undefined;
    },
    decode(visit) {
      const params = paramsOf(visit);
      if (params === undefined) return decodeAlone(engines, visit);
      if (params["do_remote_prefill"] !== true) return "not what prefill named";
      if (!visit.text.includes("[18446744073709551615]"))
        return "block ids that went through a double";
      return decodeFrom(engines, visit, kv, String(params["remote_engine_id"]));
    },
  };
}

/** Both engines know the KV cache by the request's id. @param names whether the id says this engine */
function byRequestId(
  engines: FleetEngines,
  names: (id: string, host: string, role: "prefill" | "decode") => boolean,
): Pair {
  const { kv } = engines;
  return {
    prefill(visit) {
      if (!names(visit.id, visit.host, "prefill")) return `another engine in ${visit.id}`;
      const wrong = wrongPrefill(visit);
      if (wrong !== undefined) return wrong;
      kv.put(visit.id, visit.asked);
      engines.respondPrefill(visit);
      return undefined;
    },
    decode(visit) {
      if (engines.rules.mayComputeAlone && paramsOf(visit) === undefined)
        return alone(engines)(visit);
      if (!names(visit.id, visit.host, "decode")) return `another engine in ${visit.id}`;
      return decodeFrom(engines, visit, kv, visit.id);
    },
  };
}

interface Room {
  prefill: (() => void) | undefined;
  decode: (() => void) | undefined;
}

/** Both get the request at once and meet; neither gets on without the other. @param pattern of the room's name */
function meeting(engines: FleetEngines, pattern: RegExp): Pair {
  const rooms = new Map<string, Room>();
  /** Who is in a room, or was last. */
  const guests = new Map<string, EngineConnection>();
  const enter = (leg: "prefill" | "decode", visit: Visit, run: () => void) => {
    const [, name = ""] = pattern.exec(visit.text)!;
    const guest = `${leg} ${name}`;
    // One at a time: a request whose connection broke may be sent once more. What frees a KV cache may come to another
    // engine before the first one hears that its request is cancelled.
    const isTaken = guests.get(guest)?.socket.closed === false;
    if (isTaken && !mayRelease(visit)) return `a second ${guest}`;
    guests.set(guest, visit.connection);
    const room = rooms.get(name) ?? { prefill: undefined, decode: undefined };
    rooms.set(name, room);
    room[leg] = run;
    const { prefill, decode } = room;
    if (prefill === undefined || decode === undefined) return undefined;
    // Whoever comes after they have met waits in vain.
    rooms.delete(name);
    prefill();
    decode();
    return undefined;
  };
  return {
    prefill(visit) {
      if (visit.asked.stream || !pattern.test(visit.text)) return "no prefill";
      const lateMs = engines.chance.happens(0.3) ? engines.chance.below(150) : 0;
      return enter("prefill", visit, () =>
        visit.connection.after(lateMs, () => engines.respondPrefill(visit)),
      );
    },
    decode(visit) {
      if (!pattern.test(visit.text)) return decodeAlone(engines, visit);
      return enter("decode", visit, () => engines.respondDecode(visit));
    },
  };
}

/** A store that all have. */
function sharing(engines: FleetEngines): Pair {
  const { kv } = engines;
  return {
    prefill(visit) {
      const wrong = wrongPrefill(visit);
      if (wrong !== undefined) return wrong;
      kv.put(contentOf(visit.asked), visit.asked);
      engines.respondPrefill(visit);
      return undefined;
    },
    decode(visit) {
      if (engines.rules.mayComputeAlone) return alone(engines)(visit);
      return decodeFrom(engines, visit, kv, contentOf(visit.asked));
    },
  };
}

/** Decode returns half of all prompts, of which it has nothing cached. */
function withThreshold(engines: FleetEngines): Pair {
  const store = sharing(engines);
  const threshold = ({ asked }: Visit) => asked.json["cache_hit_threshold"];
  return {
    prefill: (visit) => (threshold(visit) === 0 ? store.prefill(visit) : "a threshold"),
    decode(visit) {
      const { asked, connection } = visit;
      if (threshold(visit) === 0) return store.decode(visit);
      if (threshold(visit) === undefined) return "no threshold";
      if (asked.prompt.length % 2 === 0) return alone(engines)(visit);
      const finish = `"finish_reason":"cache_threshold"`;
      const text = asked.path === "/v1/completions" ? `"text":""` : `"delta":{"content":""}`;
      const json = `{"id":"x","choices":[{"index":0,${text},${finish}}]}`;
      if (!asked.stream) connection.send(response(json));
      else {
        const events = `data: ${json}\n\ndata: [DONE]\n\n`;
        const type = "Content-Type: text/event-stream";
        connection.send(
          `HTTP/1.1 200 OK\r\n${type}\r\nContent-Length: ${events.length}\r\n\r\n${events}`,
        );
      }
      return undefined;
    },
  };
}

/** Decode calls the proxy back for its prefill, which pushes the KV cache to it. */
function callingBack(engines: FleetEngines): Pair {
  const waiting = new Map<string, () => void>();
  return {
    prefill(visit) {
      const wrong = wrongPrefill(visit);
      if (wrong !== undefined) return wrong;
      const name = String(paramsOf(visit)?.["request_id"]);
      const go = waiting.get(name);
      if (go === undefined) return `nobody has called for ${name}`;
      visit.connection.after(5, () => {
        go();
        engines.respondPrefill(visit);
      });
      return undefined;
    },
    decode(visit) {
      const params = paramsOf(visit);
      if (params === undefined) return decodeAlone(engines, visit);
      const name = `cmpl-${visit.id}-0`;
      waiting.set(name, () => engines.respondDecode(visit));
      const call = `{"request_id":"${name}","remote_block_ids":[[18446744073709551615]]}`;
      engines.call(String(params["metaserver"]), call);
      return undefined;
    },
  };
}

/** TensorRT-LLM's context servers: where the first token and the KV cache are, and the prompt's ids. */
function contextFirst(engines: FleetEngines): Pair {
  const { kv } = engines;
  const pattern = /"disagg_request_id":(\d+)/;
  const paramsIn = ({ asked }: Visit) => asked.json["disaggregated_params"] as Params | undefined;
  return {
    prefill(visit) {
      const [, id] = pattern.exec(visit.text) ?? [];
      if (id === undefined || paramsIn(visit)?.["request_type"] !== "context_only")
        return "no context request";
      kv.put(id, visit.asked);
      const params =
        `"disaggregated_params":{"request_type":"context_only","first_gen_tokens":[1],` +
        `"ctx_request_id":${id},"disagg_request_id":${id},"encoded_opaque_state":"s"},`;
      engines.respondPrefill(visit, `,"prompt_token_ids":[${idsOf(visit.asked.prompt)}]`, params);
      return undefined;
    },
    decode(visit) {
      const params = paramsIn(visit);
      if (params === undefined) return decodeAlone(engines, visit);
      const [, id = ""] = pattern.exec(visit.text) ?? [];
      if (params["request_type"] !== "generation_only") return "no generation request";
      const ids = visit.asked.json["prompt_token_ids"] ?? visit.asked.json["prompt"];
      if (String(ids) !== String(idsOf(visit.asked.prompt))) return "not the context server's ids";
      return decodeFrom(engines, visit, kv, id);
    },
  };
}
