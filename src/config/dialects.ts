/** Names of the dialects. What they do stands in `dialects/`, of which configuration knows nothing; a test holds the two together. */
export const dialectNames = ["omni", "vllm-nixl", "shared-storage", "cache-threshold"] as const;
