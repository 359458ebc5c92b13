/**
 * What operators of vLLM engines should change, by what the engines show of themselves: one rule each, which says when
 * it applies, what to do, and where vLLM says so.
 */

import { type EngineAdvice, type EngineResponses, serverInfo } from "../definition.ts";
import type { LegName } from "../dialect.ts";

/** What is known of one engine. Undefined = not known. */
export interface VllmFacts {
  /** What the proxy uses the engine for. */
  readonly leg: LegName;
  readonly connector?: string | undefined;
  readonly kvRole?: string | undefined;
}

export interface VllmAdviceRule {
  /** Stable: for programs. */
  readonly code: string;
  readonly level: EngineAdvice["level"];
  /** Half a sentence about the engine, then what to do. */
  readonly text: string;
  readonly source: string;
  applies(facts: VllmFacts): boolean;
}

export const vllmAdvice: readonly VllmAdviceRule[] = [
  {
    code: "KV_CONSUMER_PREFILLS",
    level: "error",
    text:
      'is a "kv_consumer", which only fetches KV caches, but is used to prefill: ' +
      'start it with "kv_role": "kv_producer", or move it to the decode pool',
    source: "vLLM config/kv_transfer.py: a kv_consumer is no producer",
    applies: ({ leg, kvRole }) => leg === "prefill" && kvRole === "kv_consumer",
  },
  {
    code: "KV_PRODUCER_DECODES",
    level: "error",
    text:
      'is a "kv_producer", which never fetches KV caches, but is used to decode: ' +
      'start it with "kv_role": "kv_consumer", or move it to the prefill pool',
    source: "vLLM config/kv_transfer.py: a kv_producer is no consumer",
    applies: ({ leg, kvRole }) => leg === "decode" && kvRole === "kv_producer",
  },
  {
    code: "KV_BOTH_DEPRECATED",
    level: "warn",
    text:
      'has the "kv_role" "kv_both", which is deprecated for NixlConnector since vLLM 0.32: ' +
      'start prefill engines with "kv_producer" and decode engines with "kv_consumer"',
    source: "vLLM 0.32 distributed/kv_transfer/kv_connector/v1/nixl/connector.py",
    applies: ({ connector = "", kvRole }) => /^Nixl/.test(connector) && kvRole === "kv_both",
  },
];

/** In JSON, and in the Python text of configurations that have no JSON. */
const connectorPattern = /kv_connector\\?["']?\s*[:=]\s*\\?["']?(\w+)/;
const rolePattern = /kv_role\\?["']?\s*[:=]\s*\\?["']?(kv_\w+)/;

/** By `/server_info`, which engines serve in development mode (`VLLM_SERVER_DEV_MODE=1`). */
export function vllmFactsIn(responses: EngineResponses): Omit<VllmFacts, "leg"> {
  const info = responses.get(serverInfo.path) ?? "";
  return { connector: connectorPattern.exec(info)?.[1], kvRole: rolePattern.exec(info)?.[1] };
}

export function adviceOnVllm(leg: LegName, responses: EngineResponses): readonly EngineAdvice[] {
  const facts = { leg, ...vllmFactsIn(responses) };
  return vllmAdvice.filter((rule) => rule.applies(facts));
}
