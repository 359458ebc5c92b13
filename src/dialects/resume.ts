/** Whether a response whose engine dies can go on from another engine of the dialect, and how. */

import type { Dialect, ResponseMerge } from "./dialect.ts";
import { continued } from "./shared/continued/continued.ts";

/** Completions and chats of these take a prompt that ends with a part of the response. */
const families: ReadonlySet<string | undefined> = new Set(["vllm", "sglang"]);

export function canResume({ family, servesWhole = false }: Dialect): boolean {
  return servesWhole || families.has(family?.name);
}

/** Undefined = none can. */
export function resumedResponses(dialect: Dialect): ResponseMerge | undefined {
  if (!canResume(dialect)) return undefined;
  // Engines that are not known to be vLLM's may refuse a member that they do not know.
  return continued(dialect.merge, dialect.family?.name === "vllm");
}
