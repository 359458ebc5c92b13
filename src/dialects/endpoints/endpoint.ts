/** What engines answer at a path, as far as a proxy has to know it, and which of them a path is. */

import type { KeyName } from "../../body/json/key-name.ts";
import { chatCompletions, completions, endpoints } from "./endpoints.ts";

/** In which shape an endpoint tells of errors. */
export type ErrorShape = "openai" | "anthropic" | "sglang";

/**
 * Who serves it. `prefill-decode`: a prefill and a decode, where the route has both. `any-engine`: whichever, and rather one that
 * prefills. `all-engines`: the answers of all become one. `holder`: the engine that keeps the answer which the path names.
 */
export type ServedBy = "prefill-decode" | "any-engine" | "all-engines" | "holder";

export interface Endpoint {
  /** The ends of its paths: a proxy may have them under another prefix. */
  readonly paths: readonly string[];
  readonly servedBy: ServedBy;
  readonly errors: ErrorShape;
}

/** How a request says how much it wants. */
export interface Limits {
  /** The member whose object holds all of these; undefined = they are the body's own. */
  readonly within?: KeyName;
  /** Most tokens of an answer: 1 for a prefill. */
  readonly most: KeyName;
  /** Other names of that, which count more or less by engine. */
  readonly mostToo: readonly KeyName[];
  /** Fewest tokens. Undefined = the endpoint has no such bound. */
  readonly least?: KeyName;
  /** Answers to one prompt. */
  readonly counts: readonly KeyName[];
}

/** An endpoint that generates. */
export interface Generating extends Endpoint {
  readonly servedBy: "prefill-decode";
  readonly name: string;
  readonly limits: Limits;
  /** What holds the prompt; of several the first that is there. */
  readonly prompts: readonly KeyName[];
  /** A prompt's list may be several prompts. */
  readonly mayBeSeveral: boolean;
  /** Has a prefill answer at once and in one piece: these become false where they are there. */
  readonly offForPrefill: readonly KeyName[];
  /** The engine keeps its answer, for requests that name it later. */
  readonly keeps?: ResponseStorage;
}

/** How a kept answer is named. */
export interface ResponseStorage {
  /** False = this one is not kept. */
  readonly isKept: KeyName;
  /** The request may say the id that its answer is to have. */
  readonly id: KeyName;
  /** Names the answer that the request goes on with. Only its engine can. */
  readonly previous: KeyName;
}

/** The last path that was asked for: a request asks several times, which take 0.3 µs less. */
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

/** Of a request that is prefilled: what is at no known path is taken for completions. */
export function generatingAt(path: string): Generating {
  const endpoint = endpointOf(path);
  return endpoint !== undefined && isGenerating(endpoint) ? endpoint : completions;
}

export function isGenerating(endpoint: Endpoint): endpoint is Generating {
  return endpoint.servedBy === "prefill-decode";
}

/** OpenAI's two, whose answers have `choices`: what some hand-overs are made for. */
export function hasChoices(endpoint: Generating): boolean {
  return endpoint === completions || endpoint === chatCompletions;
}

/** The id in a path that names a kept answer; "" = it names none. */
export function storedResponseId(path: string): string {
  return storedResponsePath.exec(path)?.[1] ?? "";
}

const storedResponsePath = /\/responses\/([A-Za-z0-9_-]{1,128})(?:\/cancel|\/input_items)?$/;
const storedResponse: Endpoint = { paths: [], servedBy: "holder", errors: "openai" };

/** Longer ends first: `/completions` ends `/chat/completions`, too. */
const byPath: ReadonlyMap<string, Endpoint> = new Map(
  endpoints
    .flatMap((endpoint) => endpoint.paths.map((path) => [path, endpoint] as const))
    .sort(([a], [b]) => b.length - a.length),
);
