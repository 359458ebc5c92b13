/** The name of a member, prepared once for finding it in a body and for writing it into one. */

export class KeyName {
  readonly text: string;
  /** The name's bytes, without quotes. */
  readonly bytes: Buffer;
  /** `,"name":`, the text before the value of a member that follows another. */
  readonly opening: Buffer;

  /** Throws when the name is other than ASCII letters, digits, `_`, `-` and `.`: `matches` relies on that. */
  constructor(text: string) {
    if (!/^[\w.-]+$/.test(text)) throw new TypeError(`not a plain member name: ${text}`);
    this.text = text;
    this.bytes = Buffer.from(text, "latin1");
    this.opening = Buffer.from(`,"${text}":`, "latin1");
  }

  /** Whether the bytes from `from` to `to`, a key without its quotes that has no escapes, are this name. */
  matches(bytes: Buffer, from: number, to: number): boolean {
    const name = this.bytes;
    if (to - from !== name.length) return false;
    for (let i = 0; i < name.length; i++) if (bytes[from + i] !== name[i]) return false;
    return true;
  }

  /**
   * The same for a valid key that may have escapes (`"max\u005ftokens"` names `max_tokens`). It reads on only while
   * the key agrees, so that a body of long escaped keys costs no more than one of short ones.
   */
  matchesEscaped(bytes: Buffer, from: number, to: number): boolean {
    const name = this.bytes;
    let p = from;
    for (let i = 0; i < name.length; i++) {
      if (p >= to) return false;
      let unit = bytes[p++];
      if (unit === 0x5c) {
        // Only `\u` can stand for a character of a plain name; `\n`, `\"` and the rest cannot.
        if (bytes[p] !== 0x75) return false;
        unit = codeUnit(bytes, p + 1);
        p += 5;
      }
      if (unit !== name[i]) return false;
    }
    return p === to;
  }
}

/** The value of four bytes that are known to be hexadecimal digits. */
function codeUnit(bytes: Buffer, at: number): number {
  let unit = 0;
  for (let p = at; p < at + 4; p++) {
    const byte = bytes[p]!;
    unit = unit * 16 + (byte & 0x0f) + (byte > 0x39 ? 9 : 0);
  }
  return unit;
}
