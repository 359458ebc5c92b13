/** vLLM and its kin, and what their engines show of themselves. */

import { readFacts } from "../advice/facts.ts";
import {
  type DialectDetection,
  type EngineFamily,
  type EngineResponses,
  serverInfo,
} from "../definition.ts";
import { failsCutCalls, forcesCall, versionProbe } from "./forced-calls.ts";
import { rejectedByVllm } from "./limits.ts";
import { modelList } from "./model-list.ts";

export const vllmFamily: EngineFamily = {
  name: "vllm",
  title: "vLLM",
  owners: ["vllm"],
  rejects: rejectedByVllm,
  prefillFailure: { concerns: forcesCall, concernsVersion: failsCutCalls },
  probes: [modelList, versionProbe],
};

/** By the KV connector, which engines in development mode (`VLLM_SERVER_DEV_MODE=1`) show at `/server_info`. */
export function byConnector(connectors: RegExp): DialectDetection {
  return {
    questions: [serverInfo],
    recognise: (responses) => connectorThatShows(responses, connectors),
  };
}

export function connectorThatShows(
  responses: EngineResponses,
  connectors: RegExp,
): string | undefined {
  const { connector = "" } = readFacts(responses);
  return connectors.test(connector) ? `${connector} in /server_info` : undefined;
}
