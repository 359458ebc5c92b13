/** vLLM and its kin, and what their engines show of themselves. */

import {
  type DialectDetection,
  type EngineFamily,
  type EngineResponses,
  serverInfo,
} from "../definition.ts";
import { rejectedByVllm } from "./limits.ts";
import { modelList } from "./model-list.ts";

export const vllmFamily: EngineFamily = {
  name: "vllm",
  title: "vLLM",
  owners: ["vllm"],
  rejects: rejectedByVllm,
  contextProbe: modelList,
};

/** In JSON, and in the Python text of configurations that have no JSON. */
const connectorPattern = /kv_connector\\?["']?\s*[:=]\s*\\?["']?(\w+)/;

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
  const [, connector = ""] = connectorPattern.exec(responses.get(serverInfo.path) ?? "") ?? [];
  return connectors.test(connector) ? `${connector} in /server_info` : undefined;
}
