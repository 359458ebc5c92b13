/** How many sequences an SGLang engine makes of one request: each has a bootstrap room of its own. */

import { memberOf } from "../../body/edit/patches.ts";
import { valueEnd } from "../../body/json/array.ts";
import { KeyName } from "../../body/json/key-name.ts";
import { spaceEnd } from "../../body/json/token-ends.ts";
import type { TopLevel } from "../../body/json/top-level.ts";
import { bootstrapRoomsMax } from "../../limits.ts";
import type { DialectRequest } from "../dialect.ts";
import type { Limits } from "../endpoints/endpoint.ts";
import { generatingAt } from "../endpoints/find-endpoint.ts";
import { memberValueOf } from "../shared/member-facts.ts";
import { promptCount } from "../shared/prompt-count.ts";

const n = new KeyName("n");

/** `undefined` = one sequence, whose fields are no lists. Above {@link bootstrapRoomsMax} the count is not exact. */
export function batchSize({
  members,
  path,
}: Pick<DialectRequest, "members" | "path">): number | undefined {
  const { prompts: keys, allowsSeveralPrompts, limits } = generatingAt(path);
  const key = keys.find((one) => isGiven(members, one));
  const isList = allowsSeveralPrompts && key !== undefined;
  const prompts = isList ? promptCount(members, key, bootstrapRoomsMax) : undefined;
  const samples = samplesOf(members, limits);
  return prompts === undefined && samples === 1 ? undefined : (prompts ?? 1) * samples;
}

function isGiven(members: TopLevel, key: KeyName): boolean {
  const value = memberValueOf(members, key);
  return value !== undefined && value[0] !== 0x6e;
}

function samplesOf(members: TopLevel, { within, choiceCounts }: Limits): number {
  if (choiceCounts.length === 0) return 1;
  return within === undefined
    ? countIn(memberValueOf(members, n))
    : samplesWithin(memberValueOf(members, within));
}

/** `/generate` has `n` among the sampling parameters; where these are a list, all have the same. */
function samplesWithin(params: Buffer | undefined): number {
  if (params === undefined) return 1;
  const isList = params[0] === 0x5b;
  const start = isList ? spaceEnd(params, 1, params.length) : 0;
  if (params[start] !== 0x7b) return 1;
  const object = { start, end: valueEnd(params, start, params.length) };
  const value = memberOf(params, object, n);
  return countIn(value && params.subarray(value.start, value.end));
}

/** What is no number above 1 is refused by the engine, or is 1. SGLang also takes `"2"` and `2.0`. */
function countIn(value: Buffer | undefined): number {
  if (value === undefined || value.length > 32) return 1;
  const count = Number(value.toString("latin1").replaceAll('"', ""));
  return Number.isSafeInteger(count) && count > 1 ? count : 1;
}
