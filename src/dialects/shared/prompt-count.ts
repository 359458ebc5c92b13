/** How many prompts one member of a request holds. */

import { valueEnd } from "../../body/json/array.ts";
import type { KeyName } from "../../body/json/key-name.ts";
import { spaceEnd } from "../../body/json/token-ends.ts";
import type { TopLevel } from "../../body/json/top-level.ts";
import type { DialectRequest } from "../dialect.ts";
import { generatingAt } from "../endpoints/find-endpoint.ts";
import { memberValueOf } from "./member-facts.ts";

/**
 * Undefined = one prompt: a text, or a list of token ids. A list of one prompt is a list. Above `most` the count is
 * not exact.
 */
export function promptCount(members: TopLevel, key: KeyName, most: number): number | undefined {
  const list = memberValueOf(members, key);
  if (list === undefined || list[0] !== 0x5b) return undefined;
  const end = list.length;
  let p = spaceEnd(list, 1, end);
  if (list[p] !== 0x22 && list[p] !== 0x5b) return undefined;
  for (let count = 1; ; count += 1) {
    p = spaceEnd(list, valueEnd(list, p, end), end);
    if (list[p] !== 0x2c || count > most) return count;
    p = spaceEnd(list, p + 1, end);
  }
}

/** How many prompts a request holds; one that does not say is one. */
export function promptsOf({ members, path }: DialectRequest, most: number): number {
  const { prompts, allowsSeveralPrompts } = generatingAt(path);
  if (!allowsSeveralPrompts) return 1;
  return Math.max(...prompts.map((key) => promptCount(members, key, most) ?? 1));
}
