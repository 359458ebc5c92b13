/** Edits by name, which treat every member of that name alike: which of two an engine reads is its own choice. */

import type { Edits } from "../../body/edit/splice.ts";
import type { KeyName } from "../../body/json/key-name.ts";
import type { TopLevel } from "../../body/json/top-level.ts";

/** Gives the member the value where the body has it; says whether it has. */
export function replaceMember(
  members: TopLevel,
  edits: Edits,
  key: KeyName,
  value: Buffer,
): boolean {
  const first = members.indexOf(key);
  for (let i = first; i >= 0; i = members.indexOf(key, i + 1)) edits.replaceValue(i, value);
  return first >= 0;
}

/** Gives the member the value, and adds it where the body does not have it. */
export function setMember(members: TopLevel, edits: Edits, key: KeyName, value: Buffer): void {
  if (!replaceMember(members, edits, key, value)) edits.appendMember(key, value);
}

export function removeMember(members: TopLevel, edits: Edits, key: KeyName): void {
  for (let i = members.indexOf(key); i >= 0; i = members.indexOf(key, i + 1)) edits.removeMember(i);
}
