/** All dialects, by the name that the configuration uses. A new one is one file and one line here. */

import type { RouteConfig } from "../config/schema/schema.ts";
import type { Dialect } from "./dialect.ts";
import { plain } from "./plain.ts";
import { sglang } from "./sglang/sglang.ts";
import { trtllm, trtllmGenFirst } from "./trtllm/trtllm.ts";
import { cacheThreshold } from "./vllm/cache-threshold.ts";
import { vllmMooncake, vllmMooncakeV0 } from "./vllm/mooncake.ts";
import { moriioRead, moriioWrite } from "./vllm/moriio.ts";
import { vllmNixl } from "./vllm/nixl.ts";
import { vllmP2pNccl } from "./vllm/p2p-nccl.ts";
import { sharedStorage } from "./vllm/shared-storage.ts";
import { vllmAscend } from "./vllm-ascend/ascend.ts";
import { vllmAscendLayerwise } from "./vllm-ascend/layerwise.ts";
import { omni } from "./vllm-ascend/omni.ts";

const all: readonly Dialect[] = [
  omni, //
  vllmNixl,
  vllmAscend,
  vllmAscendLayerwise,
  vllmMooncake,
  vllmMooncakeV0,
  vllmP2pNccl,
  moriioRead,
  moriioWrite,
  sharedStorage,
  cacheThreshold,
  sglang,
  trtllm,
  trtllmGenFirst,
];

/** By the name that a route says; undefined = its engines have not told yet. */
export function dialectOf(name: RouteConfig["dialect"]): Dialect | undefined {
  return name === plain.name ? plain : dialects.get(name);
}

export const dialects: ReadonlyMap<string, Dialect> = new Map(
  all.map((dialect) => [dialect.name, dialect]),
);
