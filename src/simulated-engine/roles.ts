/** What an engine does in a P/D pair, and whose engine it simulates. */

export const engineRoles = ["prefill", "decode", "mixed", "encode"] as const;
export type EngineRole = (typeof engineRoles)[number];

/** Decides which endpoints there are and their wording. `/v1/models` names it as the owner. */
export type EngineFamily = "vllm" | "sglang" | "tensorrt_llm";
