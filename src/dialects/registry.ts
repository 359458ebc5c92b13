/** All dialects, by the name that the configuration uses. A new one is one file and one line here. */

import { cacheThreshold } from "./cache-threshold.ts";
import type { Dialect } from "./dialect.ts";
import { omni } from "./omni.ts";
import { sharedStorage } from "./shared-storage.ts";
import { vllmNixl } from "./vllm-nixl.ts";

const all: readonly Dialect[] = [
  omni, //
  vllmNixl,
  sharedStorage,
  cacheThreshold,
];

export const dialects: ReadonlyMap<string, Dialect> = new Map(
  all.map((dialect) => [dialect.name, dialect]),
);
