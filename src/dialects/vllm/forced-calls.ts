/**
 * Requests that force a call of a tool. vLLM 0.6 to 0.18 parses such a call even if it was cut, so a prefill, which is
 * for one token, fails with 500 and keeps its KV cache. Sources: vLLM issue 38911, pull requests 36841 and 37258.
 */

import { KeyName } from "../../body/json/key-name.ts";
import type { TopLevel } from "../../body/json/top-level.ts";
import { versionPath } from "../advice/facts.ts";
import type { FamilyProbe } from "../definition.ts";
import { textMembers } from "../shared/json-texts.ts";
import { memberValueOf } from "../shared/member-facts.ts";

export function failsCutCalls(version: string): boolean {
  return /^v?0\.([6-9]|1[0-8])\./.test(version);
}

export const versionProbe: FamilyProbe = {
  legs: ["prefill"],
  path: versionPath,
  isOptional: true,
  discovered: (response) => {
    const { version } = textMembers(response, ["version"]);
    return version === undefined ? {} : { version };
  },
};

const toolChoice = new KeyName("tool_choice");
/** `auto`, `none` and null do not force one, nor do objects of these types, as Anthropic's API has them. */
const forcedWord = Buffer.from('"required"');
const unforced = new Set(["auto", "none"]);

export function forcesCall(members: TopLevel): boolean {
  const choice = memberValueOf(members, toolChoice);
  if (choice === undefined) return false;
  if (choice[0] !== 0x7b) return choice.equals(forcedWord);
  return !unforced.has(textMembers(choice, ["type"])["type"] ?? "");
}
