/** Several names of members, prepared once for finding any of them in one pass over a body's members. */
import { KeyName } from "./key-name.ts";

const none: readonly KeyName[] = [];

export class KeySet {
  readonly keys: readonly KeyName[];
  /** Most names differ in length. */
  readonly #byLength: (readonly KeyName[])[] = [];

  constructor(names: Iterable<string>) {
    this.keys = [...new Set(names)].map((name) => new KeyName(name));
    const longest = Math.max(0, ...this.keys.map((key) => key.bytes.length));
    for (let length = 0; length <= longest; length += 1) {
      this.#byLength[length] = this.keys.filter((key) => key.bytes.length === length);
    }
  }

  /** The names of so many bytes. */
  ofLength(bytes: number): readonly KeyName[] {
    return this.#byLength[bytes] ?? none;
  }
}
