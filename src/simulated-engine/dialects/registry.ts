/** The dialects that an engine can speak, and the choice of one by `name[:key=value,…]`. */

import { nearestWord } from "../../config/problems/suggest.ts";
import type { Dialect } from "./dialect.ts";
import { readSpec, type Settings } from "./settings.ts";
import { sglang } from "./sglang/sglang.ts";
import { trtllm } from "./trtllm/trtllm.ts";
import { cacheThreshold } from "./vllm/cache-threshold.ts";
import { vllmMooncake } from "./vllm/mooncake.ts";
import { moriioRead, moriioWrite } from "./vllm/moriio.ts";
import { vllmNixl } from "./vllm/nixl.ts";
import { vllmP2pNccl } from "./vllm/p2p-nccl.ts";
import { sharedStorage } from "./vllm/shared-storage.ts";
import { vllmAscend } from "./vllm-ascend/ascend.ts";
import { vllmAscendLayerwise } from "./vllm-ascend/layerwise.ts";
import { omni } from "./vllm-ascend/omni.ts";

export const dialects: readonly Dialect[] = [
  omni,
  vllmNixl,
  vllmAscend,
  vllmAscendLayerwise,
  vllmMooncake,
  vllmP2pNccl,
  moriioRead,
  moriioWrite,
  sharedStorage,
  cacheThreshold,
  sglang,
  trtllm,
];

export const dialectNames: readonly string[] = dialects.map(({ name }) => name);

/** Throws an Error that says what is wrong with `spec`. */
export function chooseDialect(spec: string): { dialect: Dialect; settings: Settings } {
  const { name, settings } = readSpec(spec, "dialect");
  const dialect = dialects.find((candidate) => candidate.name === name);
  if (dialect === undefined) {
    const nearest = nearestWord(name, dialectNames);
    const hint =
      nearest === undefined
        ? `the dialects are: ${dialectNames.join(", ")}`
        : `did you mean "${nearest}"?`;
    throw new Error(`unknown dialect "${name}"; ${hint}`);
  }
  return { dialect, settings };
}
