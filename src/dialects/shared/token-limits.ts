/** What a request's body says of the length of its response, read without decoding the rest. */

import { KeyName } from "../../body/json/key-name.ts";
import { scanTopLevel, TopLevel } from "../../body/json/top-level.ts";
import type { Generating } from "../endpoints/endpoint.ts";
import { isSet, memberValueOf } from "./member-facts.ts";

export interface TokenLimits {
  readonly endpoint: Generating;
  /**
   * The smallest and the largest cap of the response: where a request has several, versions of an engine differ in
   * which one counts. Infinity = it has none.
   */
  readonly leastCap: number;
  readonly mostCap: number;
  /** 0 = it has none. */
  readonly minTokens: number;
  /** The response begins with the prompt, and may be nothing else. */
  readonly echoes: boolean;
  /** Tokens of a prompt that is a list of ids; 0 = it is not, or it is so short that it does not matter. */
  readonly promptTokens: number;
}

const echo = new KeyName("echo");
const truncation = new KeyName("truncate_prompt_tokens");
/** Shared: a call is synchronous and clears it. */
const innerMembers = new TopLevel();

/**
 * Undefined = the body has no cap, or something that an engine may read in its own way: a fraction, a text.
 *
 * @param contextTokens a prompt and a response that are together below it are not counted exactly
 */
export function tokenLimits(
  members: TopLevel,
  endpoint: Generating,
  contextTokens: number,
): TokenLimits | undefined {
  const { within } = endpoint.limits;
  if (within === undefined) return limitsIn(members, members, endpoint, contextTokens);
  const object = memberValueOf(members, within);
  if (object === undefined) return undefined;
  if (scanTopLevel(object, 0, object.length, innerMembers) !== undefined) return undefined;
  const limits = limitsIn(innerMembers, members, endpoint, contextTokens);
  innerMembers.clear();
  return limits;
}

function limitsIn(
  inner: TopLevel,
  members: TopLevel,
  endpoint: Generating,
  contextTokens: number,
): TokenLimits | undefined {
  const { maxTokens, maxTokensAliases, aliasesLimit = false, minTokens } = endpoint.limits;
  let leastCap = wholeNumber(inner, maxTokens, Number.POSITIVE_INFINITY);
  let mostCap = leastCap;
  for (const key of aliasesLimit ? maxTokensAliases : []) {
    const cap = wholeNumber(inner, key, mostCap);
    if (mostCap === Number.POSITIVE_INFINITY) mostCap = cap;
    else mostCap = Math.max(mostCap, cap);
    leastCap = Math.min(leastCap, cap);
  }
  const least = minTokens === undefined ? 0 : wholeNumber(inner, minTokens, 0);
  if (!Number.isFinite(leastCap) || Number.isNaN(mostCap) || Number.isNaN(least)) return undefined;
  const room = contextTokens - leastCap;
  const promptTokens = contextTokens === 0 ? 0 : idCount(members, endpoint, room);
  const echoes = isSet(members, echo);
  return { endpoint, leastCap, mostCap, minTokens: least, echoes, promptTokens };
}

/** NaN = something else than a whole number. */
function wholeNumber(members: TopLevel, key: KeyName, otherwise: number): number {
  const index = members.lastIndexOf(key);
  if (index < 0) return otherwise;
  const { bytes } = members;
  const start = members.valueStart(index);
  const end = members.valueEnd(index);
  // Of all JSON values only `null` begins with an n.
  if (bytes[start] === 0x6e) return otherwise;
  const isNegative = bytes[start] === 0x2d;
  const first = isNegative ? start + 1 : start;
  if (end === first || end - first > digitsMax) return Number.NaN;
  let value = 0;
  for (let at = first; at < end; at += 1) {
    const digit = bytes[at]! - 0x30;
    if (digit < 0 || digit > 9) return Number.NaN;
    value = value * 10 + digit;
  }
  return isNegative ? -value : value;
}

/** Exact in a double. */
const digitsMax = 15;

/** Each id takes at least one byte, and a comma or the bracket behind it: most prompts need not be counted. */
function idCount(members: TopLevel, { prompts }: Generating, room: number): number {
  const list = memberValueOf(members, prompts[0]!);
  if (list === undefined || list[0] !== 0x5b || list.length >>> 1 <= room) return 0;
  if (isSet(members, truncation)) return 0;
  let count = 1;
  for (let at = 1; at < list.length; at += 1) {
    const byte = list[at]!;
    if (byte === 0x2c) count += 1;
    // Several prompts, or a text.
    else if (byte === 0x5b || byte === 0x22) return 0;
  }
  return count;
}
