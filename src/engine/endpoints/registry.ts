/** The endpoints that an engine has, whatever its dialect. */

import { chat } from "./chat.ts";
import { completions } from "./completions.ts";
import type { Endpoint, SimpleEndpoint } from "./endpoint.ts";
import { tokenize } from "./tokenize.ts";

export const endpoints: readonly Endpoint[] = [completions, chat];

export const simpleEndpoints: readonly SimpleEndpoint[] = [tokenize];

const paths = new Set(endpoints.map(({ path }) => path));

/** Paths whose requests count as seen, whose ids are remembered, and which faults strike unless told otherwise. */
export function isInferencePath(path: string): boolean {
  return paths.has(path);
}
