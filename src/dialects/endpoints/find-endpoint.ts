/** Which endpoint a path is. */

import { type Endpoint, type Generating, isGenerating } from "./endpoint.ts";
import { chatCompletions, completions, endpoints } from "./endpoints.ts";

/** The path of the last call: a request calls several times, and those after the first take 0.3 µs less. */
let lastPath = "";
let lastEndpoint: Endpoint | undefined;

/** Undefined = an endpoint that one engine serves, like any other path. */
export function endpointOf(path: string): Endpoint | undefined {
  if (path !== lastPath) {
    lastEndpoint = find(path);
    lastPath = path;
  }
  return lastEndpoint;
}

function find(path: string): Endpoint | undefined {
  const known = byPath.get(path);
  if (known !== undefined) return known;
  for (const [end, endpoint] of byPath) if (path.endsWith(end)) return endpoint;
  return storedResponsePath.test(path) ? storedResponse : undefined;
}

/** Of a request that is prefilled. An unknown path is treated as completions. */
export function generatingAt(path: string): Generating {
  const endpoint = endpointOf(path);
  return endpoint !== undefined && isGenerating(endpoint) ? endpoint : completions;
}

/** OpenAI's two, whose responses have `choices`: some KV transfers support no others. */
export function hasChoices(endpoint: Generating): boolean {
  return endpoint === completions || endpoint === chatCompletions;
}

/** The id of the stored response that a path names; "" = it names none. */
export function storedResponseId(path: string): string {
  return storedResponsePath.exec(path)?.[1] ?? "";
}

const storedResponsePath = /\/responses\/([A-Za-z0-9_-]{1,128})(?:\/cancel|\/input_items)?$/;
const storedResponse: Endpoint = { paths: [], servedBy: "storing-engine", errors: "openai" };

/** Longer ends first: `/completions` ends `/chat/completions`, too. */
const byPath: ReadonlyMap<string, Endpoint> = new Map(
  endpoints
    .flatMap((endpoint) => endpoint.paths.map((path) => [path, endpoint] as const))
    .sort(([a], [b]) => b.length - a.length),
);
