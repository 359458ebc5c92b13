/** Several names of members, prepared once for finding any of them in one pass over a body's members. */
import { KeyName } from "./key-name.ts";

export class KeySet {
  readonly keys: readonly KeyName[];
  /** By length, a bit for each letter that begins a name of it. Most other names differ in one of both. */
  readonly #starts: Int32Array;

  constructor(names: Iterable<string>) {
    this.keys = [...new Set(names)].map((name) => new KeyName(name));
    const longest = Math.max(0, ...this.keys.map((key) => key.bytes.length));
    this.#starts = new Int32Array(longest + 1);
    for (const { bytes } of this.keys) this.#starts[bytes.length]! |= 1 << (bytes[0]! & 31);
  }

  /** False if no name has so many bytes and begins with this one. */
  mayHave(length: number, first: number): boolean {
    return length < this.#starts.length && (this.#starts[length]! & (1 << (first & 31))) !== 0;
  }
}
