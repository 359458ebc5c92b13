/**
 * A profile by formula, from what is published of a model and of its accelerators (the roofline model): prefill is
 * bound by arithmetic, decode and the least time of any step by reading memory, transfer by the network. The
 * efficiencies are ours.
 */
import type { EngineProfile } from "../profile.ts";
import type { Accelerator } from "./accelerators.ts";
import type { Model } from "./models.ts";

/**
 * Shares of the peak that are reached. Dense models: half of the arithmetic, as usual for long prompts. Mixtures of
 * experts less: DeepSeek published 73.7k prompt tokens/s of which 56.3 % were cached, for each 8 H800: 0.30 of BF16's
 * peak; Huawei 6,688 tokens/s for each 910C (arXiv 2506.12708): 0.66.
 */
const denseArithmetic = 0.5;
const expertArithmetic = 0.4;
const memory = 0.7;
const network = 0.5;
/** Of a step that is no arithmetic: scheduling and launching; and of each layer's two reductions over accelerators. */
const stepMs = 1;
const layerMs = 0.04;
/** Share of memory that an engine gives to weights and KV, as vLLM's default. */
const memoryUsed = 0.9;
/** Uncached tokens of one prefill step, as vLLM's default for servers. */
const prefillBatchTokens = 8192;

export function derive(
  name: string,
  model: Model,
  accelerator: Accelerator,
  count: number,
): EngineProfile {
  const isDense = model.activeParameters === model.parameters;
  const flopPerMs =
    (count * accelerator.flopPerSecond * (isDense ? denseArithmetic : expertArithmetic)) / 1000;
  const readPerMs = (count * accelerator.memoryBytesPerSecond * memory) / 1000;
  const sentPerMs = (count * accelerator.networkBytesPerSecond * network) / 1000;
  const weightBytes = model.parameters * model.bytesPerParameter;
  const overheadMs = stepMs + (count > 1 ? model.layers * layerMs : 0);
  // A step reads all weights once: of a mixture of experts, too, with a batch of more than a few.
  const leastMs = weightBytes / readPerMs + overheadMs;
  const roomBytes = count * accelerator.memoryBytes * memoryUsed - weightBytes;
  return {
    name,
    source: `derived: ${model.name} (${model.source}) on ${count} × ${accelerator.name} (${accelerator.source})`,
    prefillBaseMs: leastMs,
    prefillTokenMs: (2 * model.activeParameters) / flopPerMs,
    // Causal: half of all pairs.
    prefillPairMs: (model.layers * model.pairFlopPerLayer) / 2 / flopPerMs,
    prefillBatchTokens,
    transferBaseMs: 5,
    transferTokenMs: model.kvBytesPerToken / sentPerMs,
    stepBaseMs: leastMs,
    stepRequestMs: (2 * model.activeParameters) / flopPerMs,
    stepKvTokenMs: model.kvBytesPerToken / readPerMs,
    kvTokens: Math.floor(roomBytes / model.kvBytesPerToken),
  };
}
