/** All dialects, by the name that the configuration uses. A new one is one file and one line here. */

import type { RouteConfig } from "../config/schema.ts";
import { cacheThreshold } from "./cache-threshold.ts";
import type { Dialect } from "./dialect.ts";
import { moriioRead, moriioWrite } from "./moriio.ts";
import { omni } from "./omni.ts";
import { plain } from "./plain.ts";
import { sglang } from "./sglang.ts";
import { sharedStorage } from "./shared-storage.ts";
import { trtllm, trtllmGenFirst } from "./trtllm.ts";
import { vllmAscend } from "./vllm-ascend.ts";
import { vllmAscendLayerwise } from "./vllm-ascend-layerwise.ts";
import { vllmMooncake, vllmMooncakeV0 } from "./vllm-mooncake.ts";
import { vllmNixl } from "./vllm-nixl.ts";
import { vllmP2pNccl } from "./vllm-p2p-nccl.ts";

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
