/** All dialects, by the name that the configuration uses. A new one is one file and one line here. */

import type { RouteConfig } from "../config/schema.ts";
import { cacheThreshold } from "./cache-threshold.ts";
import type { Dialect } from "./dialect.ts";
import { omni } from "./omni.ts";
import { plain } from "./plain.ts";
import { sglang } from "./sglang.ts";
import { sharedStorage } from "./shared-storage.ts";
import { vllmAscend } from "./vllm-ascend.ts";
import { vllmNixl } from "./vllm-nixl.ts";

const all: readonly Dialect[] = [
  omni, //
  vllmNixl,
  vllmAscend,
  sharedStorage,
  cacheThreshold,
  sglang,
];

/** By the name that a route says; undefined = its engines have not told yet. */
export function dialectOf(name: RouteConfig["dialect"]): Dialect | undefined {
  return name === plain.name ? plain : dialects.get(name);
}

export const dialects: ReadonlyMap<string, Dialect> = new Map(
  all.map((dialect) => [dialect.name, dialect]),
);
