/** What a proxy has to know of an endpoint of the engines. */

import type { KeyName } from "../../body/json/key-name.ts";

/** The JSON shape of an endpoint's errors. */
export type ErrorShape = "openai" | "anthropic" | "sglang";

/**
 * Which engines serve it. `prefill-decode`: a prefill and a decode engine, if the route has both. `any-engine`: any,
 * preferably one that prefills. `one-engine`: any, chosen as for any other path. `all-engines`: the responses of all
 * become one. `storing-engine`: the one that stores the response which the path names.
 */
export type ServedBy =
  | "prefill-decode"
  | "any-engine"
  | "one-engine"
  | "all-engines"
  | "storing-engine";

/** None of them changes anything at an engine, so that a request may run twice. */
export interface Endpoint {
  /** The ends of its paths: a proxy may serve them under another prefix. */
  readonly paths: readonly string[];
  readonly servedBy: ServedBy;
  readonly errors: ErrorShape;
}

/** The members of a request that limit its response. */
export interface Limits {
  /** The member whose object has all of these; undefined = the body itself has them. */
  readonly within?: KeyName;
  /** Most tokens of a response: 1 for a prefill. */
  readonly maxTokens: KeyName;
  /** Other names of that. Which one counts depends on the engine. */
  readonly maxTokensAliases: readonly KeyName[];
  /** Whether such a name limits the response by itself; else some engines ignore it. */
  readonly aliasesLimit?: boolean;
  /** Undefined = the endpoint has no such bound. */
  readonly minTokens?: KeyName;
  /** Numbers of choices for one prompt. */
  readonly choiceCounts: readonly KeyName[];
}

/** An endpoint that generates. */
export interface Generating extends Endpoint {
  readonly servedBy: "prefill-decode";
  readonly name: string;
  readonly limits: Limits;
  /** The member that has the prompt; of several the first that is there. */
  readonly prompts: readonly KeyName[];
  /**
   * Members without which engines reject a request. Their words may count the members of the body, so such a request
   * goes to one engine, and nothing is added to it.
   */
  readonly required: readonly KeyName[];
  /** A list as the prompt may be several prompts. */
  readonly allowsSeveralPrompts: boolean;
  /** Members that are set to false for a prefill if they are there: it responds at once and in one piece. */
  readonly offForPrefill: readonly KeyName[];
  /** The member of a response that lists what was generated, and is never empty; undefined = there is none. */
  readonly choices?: KeyName;
  /** The engine stores the response, for requests that name it later. */
  readonly storage?: ResponseStorage;
}

/** How a request names stored responses. */
export interface ResponseStorage {
  /** False = this response is not stored. */
  readonly isStored: KeyName;
  /** The id that the response is to have, if the request says it. */
  readonly id: KeyName;
  /** The response that the request continues. Only the engine that stores it can. */
  readonly previous: KeyName;
  /** The stored conversation that the request continues. */
  readonly conversation: KeyName;
}

export function isGenerating(endpoint: Endpoint): endpoint is Generating {
  return endpoint.servedBy === "prefill-decode";
}
