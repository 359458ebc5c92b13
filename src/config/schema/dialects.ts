/** Names of the dialects. What they do stands in `dialects/`, of which configuration knows nothing; a test holds the two together. */
export const dialectNames = [
  "omni",
  "vllm-nixl",
  "vllm-ascend",
  "vllm-ascend-layerwise",
  "vllm-mooncake",
  "vllm-mooncake-v0",
  "vllm-p2p-nccl",
  "moriio-read",
  "moriio-write",
  "shared-storage",
  "cache-threshold",
  "sglang",
  "trtllm",
  "trtllm-gen-first",
] as const;

/** What a route can say: also that there is no hand-over, or that the engines' answers are to tell. */
export const routeDialects = [...dialectNames, "plain", "auto"] as const;
