/** What a member of a request says, judged by its first byte. If a name occurs twice, the last one counts. */

import type { KeyName } from "../../body/json/key-name.ts";
import type { TopLevel } from "../../body/json/top-level.ts";
import type { Generating } from "../endpoints/endpoint.ts";

export function memberValueOf(members: TopLevel, key: KeyName): Buffer | undefined {
  const index = members.lastIndexOf(key);
  return index < 0 ? undefined : members.value(index);
}

/** Whether the body lacks a member without which engines reject it. */
export function lacksRequired(members: TopLevel, { required }: Generating): boolean {
  return required.some((key) => members.lastIndexOf(key) < 0);
}

function firstByte(members: TopLevel, key: KeyName): number {
  const index = members.lastIndexOf(key);
  return index < 0 ? 0 : members.bytes[members.valueStart(index)]!;
}

/** Other than null and false. */
export function isSet(members: TopLevel, key: KeyName): boolean {
  const byte = firstByte(members, key);
  return byte !== 0 && byte !== 0x6e && byte !== 0x66;
}

export function isTrue(members: TopLevel, key: KeyName): boolean {
  return firstByte(members, key) === 0x74;
}

export function isFalse(members: TopLevel, key: KeyName): boolean {
  return firstByte(members, key) === 0x66;
}
