/**
 * Advice on how engines are started, by all that they show: one rule for each mistake that is known, with its reason
 * and where that is from. `global-proxy check` goes by these; `auto` logs those about an engine's role.
 */

import { failsCutCalls } from "../vllm/forced-calls.ts";
import type { EngineFacts } from "./facts.ts";

export type AdvisedRole = "prefill" | "decode" | "engine";

/** One engine. */
export interface AdvisedEngine {
  readonly facts: EngineFacts;
  readonly role: AdvisedRole;
  /** What the operator says of it, by the names of attributes. */
  readonly attributes: Readonly<Record<string, string>>;
  /** The engine is reached over loopback: everything that it says of this machine is right. */
  readonly isLoopback: boolean;
}

/** A prefill engine and a decode engine that are to work together. */
export interface AdvisedPair {
  readonly prefill: EngineFacts;
  readonly decode: EngineFacts;
}

export interface AdviceRule<Of> {
  /** Stable: scripts may go by it. */
  readonly code: string;
  /** `fail`: requests go wrong. `warn`: they are slow, or will go wrong. */
  readonly level: "fail" | "warn";
  /** What is wrong, as a sentence without a full stop; undefined = the rule does not apply. */
  finds(of: Of): string | undefined;
  /** What to do. */
  readonly remedy: string;
  /** Why it matters. */
  readonly reason: string;
  /** The page or the source that says so. */
  readonly source: string;
}

const loopbacks = /^(localhost|127\..*|::1)$/;

/** Rules of what an engine is used for, by its role in the KV transfer. */
export const roleAdvice: readonly AdviceRule<Pick<AdvisedEngine, "facts" | "role">>[] = [
  {
    code: "kv-consumer-prefills",
    level: "fail",
    finds: ({ facts, role }) =>
      role === "prefill" && facts.role === "kv_consumer"
        ? 'it is a "kv_consumer", but is used to prefill'
        : undefined,
    remedy: 'start it with "kv_role": "kv_producer", or move it to the decode engines',
    reason: "a kv_consumer only fetches KV caches",
    source: "vLLM config/kv_transfer.py: a kv_consumer is no producer",
  },
  {
    code: "kv-producer-decodes",
    level: "fail",
    finds: ({ facts, role }) =>
      role === "decode" && facts.role === "kv_producer"
        ? 'it is a "kv_producer", but is used to decode'
        : undefined,
    remedy: 'start it with "kv_role": "kv_consumer", or move it to the prefill engines',
    reason: "a kv_producer never fetches KV caches",
    source: "vLLM config/kv_transfer.py: a kv_producer is no consumer",
  },
  {
    code: "kv-both-deprecated",
    level: "warn",
    finds: ({ facts, role }) =>
      role !== "engine" && /^Nixl/.test(facts.connector ?? "") && facts.role === "kv_both"
        ? 'it has the "kv_role" "kv_both"'
        : undefined,
    remedy: 'start prefill engines with "kv_producer" and decode engines with "kv_consumer"',
    reason: "for NixlConnector it is deprecated since vLLM 0.32",
    source: "vLLM 0.32 distributed/kv_transfer/kv_connector/v1/nixl/connector.py",
  },
];

/** Rules of one engine. */
export const engineAdvice: readonly AdviceRule<AdvisedEngine>[] = [
  ...roleAdvice,
  {
    code: "role-swapped",
    level: "fail",
    finds: ({ facts: { role }, role: given }) => {
      const isHalf = role === "prefill" || role === "decode";
      if (!isHalf || given === "engine" || role === given) return undefined;
      return `it is named as a ${given} engine, but runs in the mode ${role}`;
    },
    remedy: "swap --prefill and --decode",
    reason: "an engine in the other role neither holds nor fetches KV caches",
    source: "SGLang server_args.py (disaggregation_mode)",
  },
  {
    code: "alone-is-half",
    level: "fail",
    finds: ({ facts: { role }, role: given }) => {
      if (given !== "engine" || !halves.has(role ?? "")) return undefined;
      return `it is named with --engine, but runs as half of a pair (${role})`;
    },
    remedy: "name it with --prefill or --decode",
    reason: "half of a pair does not serve whole requests",
    source: "SGLang disaggregation; vLLM config/kv_transfer.py",
  },
  {
    code: "side-channel-loopback",
    level: "fail",
    finds: ({ facts: { connector, sideChannelHost: host = "" }, role, isLoopback }) =>
      /^Nixl/.test(connector ?? "") && role !== "decode" && !isLoopback && loopbacks.test(host)
        ? `it tells decode engines to fetch KV caches from ${host}`
        : undefined,
    remedy:
      "set VLLM_NIXL_SIDE_CHANNEL_HOST to an address that decode engines reach, or add ?remote_host=address to its URL",
    reason: "on another machine that address leads to the decode engine itself",
    source: "vLLM envs.py (VLLM_NIXL_SIDE_CHANNEL_HOST is localhost by default)",
  },
  {
    code: "side-channel-anywhere",
    level: "warn",
    finds: ({ facts: { connector, sideChannelHost: host = "" }, role }) =>
      /^Nixl/.test(connector ?? "") && role !== "decode" && /^(0\.0\.0\.0|::)$/.test(host)
        ? `it tells decode engines to fetch KV caches from ${host}`
        : undefined,
    remedy:
      "set VLLM_NIXL_SIDE_CHANNEL_HOST to the address of this machine, or add ?remote_host=address to its URL",
    reason: "that is an address to listen on, not one to connect to",
    source: "vLLM envs.py (VLLM_NIXL_SIDE_CHANNEL_HOST)",
  },
  {
    code: "bootstrap-port",
    level: "fail",
    finds: ({ facts: { connector, bootstrapPort: port }, role, attributes }) => {
      const given = attributes["bootstrap_port"] ?? "8998";
      const isAsked = connector === "MooncakeConnector" && role === "prefill";
      if (!isAsked || port === undefined || given === `${port}`) return undefined;
      return `its bootstrap server is at port ${port}, but the proxy is told ${given}`;
    },
    remedy: "add ?bootstrap_port=… with that port to its URL",
    reason: "the proxy asks there for the engine's id, and sends no requests without it",
    source: "vLLM envs.py (VLLM_MOONCAKE_BOOTSTRAP_PORT)",
  },
  {
    code: "prefix-caching-off",
    level: "warn",
    finds: ({ facts: { prefixCaching } }) =>
      prefixCaching === false ? "prefix caching is off" : undefined,
    remedy:
      "start it with --enable-prefix-caching (vLLM), or without --disable-radix-cache (SGLang)",
    reason:
      "prompts that begin alike are computed or transferred anew each time, and placing them by prefixes gains nothing",
    source: "docs/kv-events.md, docs/policies.md",
  },
  {
    code: "forced-tool-calls",
    level: "warn",
    // Only vLLM has connectors.
    finds: ({ facts: { connector, version }, role }) =>
      connector !== undefined && role === "prefill" && failsCutCalls(version ?? "")
        ? `vLLM ${version} may respond with 500 to a prefill whose tool_choice forces a call`
        : undefined,
    remedy: "upgrade vLLM: until then decode computes such prompts, where its dialect can",
    reason: "a call that ends after its first token cannot be parsed there",
    source: "vLLM issue 38911; pull requests 36841 and 37258",
  },
];

const halves: ReadonlySet<string> = new Set(["kv_producer", "kv_consumer", "prefill", "decode"]);

/** Rules of a pair. */
export const pairAdvice: readonly AdviceRule<AdvisedPair>[] = [
  differs("model-differs", "fail", "model", ({ model }) => model, {
    remedy: "start both with the same model",
    reason: "the KV cache of one model is noise to another",
    source: "docs/kv-transfer.md",
  }),
  differs("dtype-differs", "fail", "dtype", ({ dtype }) => dtype, {
    remedy: "start both with the same --dtype",
    reason: "KV caches are copied byte for byte",
    source: "vLLM kv_connector/v1/nixl (compatibility hash)",
  }),
  differs("kv-dtype-differs", "fail", "type of the KV cache", ({ kvCacheDtype }) => kvCacheDtype, {
    remedy: "start both with the same --kv-cache-dtype",
    reason: "KV caches are copied byte for byte",
    source: "vLLM kv_connector/v1/nixl (compatibility hash)",
  }),
  differs("block-size-differs", "warn", "block size", ({ blockTokens }) => blockTokens, {
    remedy: "start both with the same --block-size",
    reason: "most connectors transfer whole blocks, and refuse others or convert them",
    source: "vLLM kv_connector/v1/nixl/base_worker.py",
  }),
  differs("tp-size-differs", "warn", "tensor-parallel size", (facts) => facts.tensorParallelSize, {
    remedy: "make sure that your connector supports it; NIXL does if decode's is a multiple",
    reason: "KV heads are split another way, which not every connector can join",
    source: "vLLM docs/features/nixl_connector_usage.md",
  }),
  differs("version-differs", "warn", "version", ({ version }) => version, {
    remedy: "run the same version on both",
    reason: "the protocols between engines change from version to version",
    source: "vLLM kv_connector/v1/nixl (compatibility hash)",
  }),
  differs("connector-differs", "fail", "KV connector", ({ connector }) => connector, {
    remedy: "start both with the same kv_connector",
    reason: "connectors of different kinds do not understand each other",
    source: "docs/dialects.md",
  }),
];

function differs(
  code: string,
  level: "fail" | "warn",
  what: string,
  read: (facts: EngineFacts) => string | number | undefined,
  rest: Pick<AdviceRule<AdvisedPair>, "remedy" | "reason" | "source">,
): AdviceRule<AdvisedPair> {
  return {
    code,
    level,
    finds: ({ prefill, decode }) => {
      const [left, right] = [read(prefill), read(decode)];
      if (left === undefined || right === undefined || left === right) return undefined;
      return `the ${what} differs: ${left} at prefill, ${right} at decode`;
    },
    ...rest,
  };
}
