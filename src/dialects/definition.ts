/** What a dialect says of itself to the configuration, to the documentation and to `auto`. */

import type { TopLevel } from "../body/json/top-level.ts";
import type { TokenLimits } from "./shared/token-limits.ts";

/** Why engines reject a request, in their own words. */
export interface LimitRejection {
  readonly message: string;
  /** The member of the body that is at fault; null where the engine names none. */
  readonly param: string | null;
  /** As the engine's error bodies name it. */
  readonly type: string;
}

/** What engines of a family are asked while they serve; they serve without it. A probe as those of dialects are. */
export interface FamilyProbe {
  readonly legs: readonly ("prefill" | "decode")[];
  readonly path: string;
  readonly isOptional: true;
  /** What the body of a 200 says, by the names of attributes. */
  discovered(response: Buffer): Readonly<Record<string, string>>;
}

/** Requests whose prefill fails at engines of some versions, though an engine serves them that has them to itself. */
export interface PrefillFailure {
  /** Whether it is such a request. Called for each, so it must cost little. */
  concerns(members: TopLevel): boolean;
  concernsVersion(version: string): boolean;
}

/** Engines of one make. All engines of a route are of one family. */
export interface EngineFamily {
  readonly name: string;
  /** As its makers write it. */
  readonly title: string;
  /** What its engines say in `owned_by` of `/v1/models`, in lower case. */
  readonly owners: readonly string[];
  /**
   * Whether engines of any version reject these limits of a request, where a prefill does not show it since it has
   * limits of its own. Undefined = prefill engines get the client's limits, and reject them by themselves.
   *
   * @param contextTokens most tokens of prompt and response together; 0 = not known
   */
  rejects?(limits: TokenLimits, contextTokens: number): LimitRejection | undefined;

  /** Undefined = what an engine serves by itself, it prefills as well. */
  readonly prefillFailure?: PrefillFailure;

  /** How the attributes are discovered that these go by: `max_model_len` and `version`. */
  readonly probes?: readonly FamilyProbe[];
}

/** One thing that a dialect reads of an engine beside its address: `?name=value` in the engine's URL. */
export interface EngineAttribute {
  /** The engines that have it. */
  readonly of: "prefill" | "decode" | "both";
  /** A phrase for a cell of a table. */
  readonly meaning: string;
  /** In words; undefined = there is none. */
  readonly default?: string;
}

/** By name, in the order of the page's table. */
export type EngineAttributes = Readonly<Record<string, EngineAttribute>>;

/** Where something is asked of an engine, when that is not its own port. */
export interface OtherPort {
  /** The attribute that says the port. */
  readonly attribute: string;
  readonly otherwise: number;
  /** The attribute that may say another host. */
  readonly hostAttribute: string;
}

/** A GET by which `auto` finds out what an engine speaks. */
export interface EngineQuestion {
  /** With its query. */
  readonly path: string;
  /** Undefined = the engine's own. */
  readonly port?: OtherPort;
}

/** Bodies of 200s, by the path of the question. */
export type EngineResponses = ReadonlyMap<string, string>;

/** How `auto` knows engines of this dialect. */
export interface DialectDetection {
  /** Asked beside `/v1/models`. */
  readonly questions?: readonly EngineQuestion[];
  /** What shows that the engine speaks this dialect, in words for the log. Undefined = nothing does. */
  recognise?(responses: EngineResponses): string | undefined;
  /**
   * What engines of the family are taken to speak when they show their family alone. `certain`: nothing else is
   * possible. `assumed`: the most common one, with a warning in the log.
   */
  readonly ofFamily?: "certain" | "assumed";
}

/** The dialect's row in the overview: phrases in Markdown. */
export interface OverviewCells {
  /** What the prefill engine gets beside the client's body. */
  readonly prefill: string;
  /** What the decode engine gets beside the client's body. */
  readonly decode: string;
  /** Who makes the ids by which the engines find each other. */
  readonly idsFrom: "engine" | "proxy" | "proxy and engine" | "nobody";
}

/** The engine's whole configuration (vLLM) or its state (SGLang, TensorRT-LLM), which take no notice of the query. */
export const serverInfo: EngineQuestion = { path: "/server_info?config_format=json" };

/** The first of the questions whose response matches, as its path without the query. */
export function pathThatShows(
  responses: EngineResponses,
  questions: readonly EngineQuestion[],
  pattern: RegExp,
): string | undefined {
  const shown = questions.find(({ path }) => pattern.test(responses.get(path) ?? ""));
  return shown?.path.split("?", 1)[0];
}
