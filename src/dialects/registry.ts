/** All dialects, by the name that the configuration uses. A new one is one file and one line here. */

import type { Dialect } from "./dialect.ts";
import { omni } from "./omni.ts";
import { vllmNixl } from "./vllm-nixl.ts";

const all: readonly Dialect[] = [
  omni, //
  vllmNixl,
];

export const dialects: ReadonlyMap<string, Dialect> = new Map(
  all.map((dialect) => [dialect.name, dialect]),
);
