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
  /** The member that it is from. */
  readonly leastCapName: string;
  readonly mostCap: number;
  /** 0 = it has none. */
  readonly minTokens: number;
  /** The response begins with the prompt, and may be nothing else. */
  readonly echoes: boolean;
}

const echo = new KeyName("echo");
/** Shared: a call is synchronous and clears it. */
const innerMembers = new TopLevel();

/** Undefined = the body has no cap, or something that an engine may read in its own way: a fraction, a text. */
export function tokenLimits(members: TopLevel, endpoint: Generating): TokenLimits | undefined {
  const { within } = endpoint.limits;
  if (within === undefined) return limitsIn(members, members, endpoint);
  const object = memberValueOf(members, within);
  if (object === undefined) return undefined;
  if (scanTopLevel(object, 0, object.length, innerMembers) !== undefined) return undefined;
  const limits = limitsIn(innerMembers, members, endpoint);
  innerMembers.clear();
  return limits;
}

function limitsIn(
  inner: TopLevel,
  members: TopLevel,
  endpoint: Generating,
): TokenLimits | undefined {
  const { maxTokens, maxTokensAliases, aliasesLimit = false, minTokens } = endpoint.limits;
  let leastCap = wholeNumber(inner, maxTokens, Number.POSITIVE_INFINITY);
  let leastCapName = maxTokens.text;
  let mostCap = leastCap;
  for (const key of aliasesLimit ? maxTokensAliases : []) {
    const cap = wholeNumber(inner, key, mostCap);
    if (mostCap === Number.POSITIVE_INFINITY) mostCap = cap;
    else mostCap = Math.max(mostCap, cap);
    if (cap >= leastCap) continue;
    leastCap = cap;
    leastCapName = key.text;
  }
  const least = minTokens === undefined ? 0 : wholeNumber(inner, minTokens, 0);
  if (!Number.isFinite(leastCap) || Number.isNaN(mostCap) || Number.isNaN(least)) return undefined;
  const echoes = isSet(members, echo);
  return { endpoint, leastCap, leastCapName, mostCap, minTokens: least, echoes };
}

/**
 * Whether a request is for its prompt alone, as harnesses ask for the log-probabilities of texts: an engine that
 * decodes nothing has no use for a KV cache.
 */
export function generatesNothing(members: TopLevel, endpoint: Generating): boolean {
  return isSet(members, echo) && tokenLimits(members, endpoint)?.mostCap === 0;
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
