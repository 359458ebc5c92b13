/** Which dialect an engine speaks, told by what it answers to questions that every engine may be asked. */

/** Bodies of 200s by path. `/query` is asked of the bootstrap server. */
export type EngineResponses = ReadonlyMap<string, string>;

/** vLLM's words for its whole configuration; the others take no notice of the query. */
const serverInfo = "/server_info?config_format=json";

/** In the order in which they are asked. */
export const detectionPaths: readonly string[] = [
  "/v1/models",
  "/version",
  serverInfo,
  "/get_server_info",
  "/query",
];

export interface Detection {
  /** Engines of one fleet are of one family. */
  readonly family: string;
  /** Undefined = the engine tells its family, but not how it hands over. */
  readonly dialect: string | undefined;
  /** What it was told by, for the log. */
  readonly from: string;
}

/** What the engines of a family are taken to speak when none of them tells. */
export const usualDialects: Readonly<Record<string, string>> = {
  vllm: "vllm-nixl",
  sglang: "sglang",
  trtllm: "trtllm",
};

const families: Readonly<Record<string, string>> = {
  vllm: "vllm",
  sglang: "sglang",
  tensorrt_llm: "trtllm",
  trtllm: "trtllm",
};

/** vLLM's connectors, where an engine in its development mode shows its configuration at `/server_info`. */
const connectors: readonly (readonly [RegExp, string])[] = [
  [/MooncakeLayerwiseConnector/, "vllm-ascend-layerwise"],
  [/MooncakeConnector/, "vllm-mooncake"],
  [/NixlConnector/, "vllm-nixl"],
  [/P2pNcclConnector/, "vllm-p2p-nccl"],
  [/SharedStorageConnector|ExampleConnector|LMCacheConnector/, "shared-storage"],
];

/** Undefined when nothing that it said tells. */
export function detect(answers: EngineResponses): Detection | undefined {
  if (/"worker_addr"/.test(answers.get("/query") ?? "")) {
    return { family: "vllm", dialect: "vllm-mooncake", from: "/query" };
  }
  for (const path of [serverInfo, "/get_server_info"]) {
    const info = answers.get(path) ?? "";
    const [name] = path.split("?", 1);
    if (/"disaggregation_mode"/.test(info)) {
      return { family: "sglang", dialect: "sglang", from: `disaggregation_mode in ${name}` };
    }
    if (/"disaggregated_params"/.test(info)) {
      return { family: "trtllm", dialect: "trtllm", from: `disaggregated_params in ${name}` };
    }
    const [, connector = ""] = /kv_connector\\?["']?\s*[:=]\s*\\?["']?(\w+)/.exec(info) ?? [];
    const known = connectors.find(([pattern]) => pattern.test(connector));
    if (known !== undefined) {
      return { family: "vllm", dialect: known[1], from: `${connector} in ${name}` };
    }
  }
  const [, owner = ""] = /"owned_by"\s*:\s*"([^"]*)"/.exec(answers.get("/v1/models") ?? "") ?? [];
  const family = families[owner.toLowerCase()];
  if (family === undefined) return undefined;
  // Only vLLM has several hand-overs.
  const dialect = family === "vllm" ? undefined : usualDialects[family];
  return { family, dialect, from: `owned_by "${owner}" in /v1/models` };
}
