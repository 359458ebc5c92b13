/** Options that several policies have. */
import { choice, integer } from "./options.ts";

export const blocksMax = integer({
  min: 64,
  max: 1 << 22,
  default: 1 << 16,
  unit: "blocks",
  about: "Blocks of prompts (2 KiB each) that each worker remembers per engine.",
});

export const kvTokens = integer({
  min: 1,
  default: 500_000,
  unit: "tokens",
  about: "Tokens that the KV cache of one engine holds.",
});

/** Flags and `simulate` fill it in, since they know which pool it is. */
export const role = choice(["prefill", "decode"], {
  default: "prefill",
  about: "What the engines of the pool do.",
});

/** @param byDefault requests */
export const batchSize = (byDefault: number) =>
  integer({
    min: 1,
    max: 65_535,
    default: byDefault,
    unit: "requests",
    about: "Requests that an engine batches.",
  });
