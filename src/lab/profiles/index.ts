/** All engine profiles that `--engine-profile` knows by name. */
import { dense70b, type EngineProfile } from "../profile.ts";
import { type AcceleratorName, accelerators } from "./accelerators.ts";
import { derive } from "./derive.ts";
import { type ModelName, models } from "./models.ts";

/** Which models are served on how many of which accelerators. */
const derived: readonly (readonly [ModelName, number, AcceleratorName])[] = [
  ["llama-3.1-8b", 1, "a100"],
  ["llama-3.1-8b", 1, "h100"],
  ["llama-3.1-8b", 1, "910b"],
  ["llama-3.1-70b", 8, "a100"],
  ["llama-3.1-70b", 4, "h100"],
  ["llama-3.1-70b", 8, "h100"],
  ["llama-3.1-70b", 4, "h200"],
  ["qwen2.5-72b", 8, "h100"],
  ["qwen2.5-72b", 8, "910b"],
  ["qwen3-235b", 8, "h100"],
  ["qwen3-235b", 16, "910b"],
  ["deepseek-v3", 16, "h100"],
  ["deepseek-v3", 8, "h200"],
  ["deepseek-v3", 32, "910b"],
];

export const profiles: ReadonlyMap<string, EngineProfile> = new Map(
  [
    dense70b,
    { ...dense70b, name: "dense-70b-batching", prefillBatchTokens: 8192 },
    ...derived.map(([model, count, accelerator]) =>
      derive(`${model}-${count}x${accelerator}`, models[model], accelerators[accelerator], count),
    ),
  ].map((profile) => [profile.name, profile]),
);
