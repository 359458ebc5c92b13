/** Models as their authors publish them: what they weigh, what a token costs, how large its KV is. */

export interface Model {
  readonly name: string;
  readonly parameters: number;
  /** Of one token: fewer than all with a mixture of experts. */
  readonly activeParameters: number;
  readonly bytesPerParameter: number;
  readonly layers: number;
  /**
   * FLOP of attention for a pair of tokens in one layer: 4 × heads × dimension of a head (2 for scores, 2 for values).
   */
  readonly pairFlopPerLayer: number;
  readonly kvBytesPerToken: number;
  readonly source: string;
}

/** Keys and values of all layers in 16 bits. */
const groupedKvBytes = (layers: number, kvHeads: number, headDim: number) =>
  2 * layers * kvHeads * headDim * 2;

export const models = {
  "llama-3.1-8b": {
    name: "Llama 3.1 8B",
    parameters: 8.03e9,
    activeParameters: 8.03e9,
    bytesPerParameter: 2,
    layers: 32,
    pairFlopPerLayer: 4 * 32 * 128,
    kvBytesPerToken: groupedKvBytes(32, 8, 128),
    source: "Meta, The Llama 3 Herd of Models (arXiv 2407.21783), table 3; BF16",
  },
  "llama-3.1-70b": {
    name: "Llama 3.1 70B",
    parameters: 70.6e9,
    activeParameters: 70.6e9,
    bytesPerParameter: 2,
    layers: 80,
    pairFlopPerLayer: 4 * 64 * 128,
    kvBytesPerToken: groupedKvBytes(80, 8, 128),
    source: "Meta, The Llama 3 Herd of Models (arXiv 2407.21783), table 3; BF16",
  },
  "qwen2.5-72b": {
    name: "Qwen2.5 72B",
    parameters: 72.7e9,
    activeParameters: 72.7e9,
    bytesPerParameter: 2,
    layers: 80,
    pairFlopPerLayer: 4 * 64 * 128,
    kvBytesPerToken: groupedKvBytes(80, 8, 128),
    source: "model card of Qwen2.5-72B; BF16",
  },
  "qwen3-235b": {
    name: "Qwen3 235B A22B",
    parameters: 235e9,
    activeParameters: 22e9,
    bytesPerParameter: 1,
    layers: 94,
    pairFlopPerLayer: 4 * 64 * 128,
    kvBytesPerToken: groupedKvBytes(94, 4, 128),
    source: "model card of Qwen3-235B-A22B; weights in 8 bits",
  },
  // Latent attention: 512 + 64 values a layer are kept; prefill computes 128 heads of 192 (scores) and 128 (values).
  "deepseek-v3": {
    name: "DeepSeek-V3",
    parameters: 671e9,
    activeParameters: 37e9,
    bytesPerParameter: 1,
    layers: 61,
    pairFlopPerLayer: 2 * 128 * (192 + 128),
    kvBytesPerToken: 61 * (512 + 64) * 2,
    source: "DeepSeek-V3 Technical Report (arXiv 2412.19437); weights in 8 bits, KV in 16",
  },
} as const satisfies Readonly<Record<string, Model>>;

export type ModelName = keyof typeof models;
