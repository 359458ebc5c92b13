/**
 * All dialects. A new one is one file and one line here; configuration, documentation, `auto` and the contract suite
 * follow.
 */

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

/** In the order of documentation and `auto`: the first that recognises an engine counts. */
export const allDialects = [
  omni,
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
  plain,
] as const;

export type DialectName = (typeof allDialects)[number]["name"];

/** Of a route that names none. */
export const defaultDialect: DialectName = omni.name;

/** Of a route without a prefill that names none. */
export const wholeRequestDialect: DialectName = plain.name;

/** By the name that the configuration uses. */
export const dialects: ReadonlyMap<string, Dialect> = new Map(
  allDialects.map((dialect) => [dialect.name, dialect]),
);

/** Undefined for `auto`, as long as the engines have not shown what they speak. */
export function dialectOf(name: DialectName | "auto"): Dialect | undefined {
  return dialects.get(name);
}
