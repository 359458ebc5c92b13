// Parses a chunk's extensions byte by byte: *( ";" token [ "=" ( token / quoted-string ) ] ), no white space.

import { CLASS, IS_TOKEN, IS_VALUE } from "../charset.ts";

const QUOTE = 0x22;
const SEMICOLON = 0x3b;
const EQUALS = 0x3d;
const BACKSLASH = 0x5c;

/** The states of the reader, as small integers; EXT_BAD means that the extension is malformed. */
export const EXT_NAME_START = 0;
const EXT_NAME = 1;
const EXT_VALUE_START = 2;
const EXT_VALUE = 3;
const EXT_QUOTED = 4;
const EXT_ESCAPED = 5;
const EXT_QUOTED_END = 6;
export const EXT_BAD = 7;

/** The state after one byte that is not CR. The bad white space of RFC 9112, section 7.1.1, is rejected. */
export function nextInExtension(state: number, code: number): number {
  const token = (CLASS[code]! & IS_TOKEN) !== 0;
  switch (state) {
    case EXT_NAME_START:
      return token ? EXT_NAME : EXT_BAD;
    case EXT_NAME:
      if (token) return EXT_NAME;
      if (code === EQUALS) return EXT_VALUE_START;
      break;
    case EXT_VALUE_START:
      if (token) return EXT_VALUE;
      return code === QUOTE ? EXT_QUOTED : EXT_BAD;
    case EXT_VALUE:
      if (token) return EXT_VALUE;
      break;
    case EXT_QUOTED:
      if (code === QUOTE) return EXT_QUOTED_END;
      if (code === BACKSLASH) return EXT_ESCAPED;
      return (CLASS[code]! & IS_VALUE) !== 0 ? EXT_QUOTED : EXT_BAD;
    case EXT_ESCAPED:
      return (CLASS[code]! & IS_VALUE) !== 0 ? EXT_QUOTED : EXT_BAD;
  }
  return code === SEMICOLON ? EXT_NAME_START : EXT_BAD;
}

/** Whether the line may end here. */
export function mayEndExtension(state: number): boolean {
  return state === EXT_NAME || state === EXT_VALUE || state === EXT_QUOTED_END;
}
