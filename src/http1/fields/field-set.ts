// An immutable set of field names, built once per route: known names are bits, others are strings.

import { CLASS, IS_TOKEN } from "../charset.ts";
import { fieldIdOf } from "./field-ids.ts";

function isToken(name: string): boolean {
  for (let i = 0; i < name.length; i++) {
    if (((CLASS[name.charCodeAt(i)] ?? 0) & IS_TOKEN) === 0) return false;
  }
  return name.length > 0;
}

export class FieldSet {
  /** Bits of the ids 0 to 31. */
  readonly low: number;
  /** Bits of the ids 32 to 63. */
  readonly high: number;
  /** Lower-case names that have no id. */
  readonly others: ReadonlySet<string>;
  /** Bits of the lengths, modulo 32, of `others`: most unknown names are excluded without creating a string. */
  private readonly otherLengths: number;

  /** Names in any case. Throws a TypeError for one that no field can have, because it would have no effect. */
  constructor(names: Iterable<string>) {
    const bits = [0, 0] as [number, number];
    const others = new Set<string>();
    let lengths = 0;
    for (const name of names) {
      if (!isToken(name)) throw new TypeError(`not a field name: ${JSON.stringify(name)}`);
      const lower = name.toLowerCase();
      const id = fieldIdOf(lower);
      if (id === 0) {
        others.add(lower);
        lengths |= 1 << (lower.length & 31);
      } else bits[id >>> 5]! |= 1 << (id & 31);
    }
    this.low = bits[0];
    this.high = bits[1];
    this.others = others;
    this.otherLengths = lengths;
  }

  has(name: string): boolean {
    const lower = name.toLowerCase();
    const id = fieldIdOf(lower);
    return id === 0 ? this.others.has(lower) : this.hasId(id);
  }

  /** Whether a known id is in the set; never for 0. */
  hasId(id: number): boolean {
    return (((id < 32 ? this.low : this.high) >>> (id & 31)) & 1) === 1;
  }

  /** Whether a name of this many characters, which has no id, may be in the set. */
  mayHoldOther(length: number): boolean {
    return ((this.otherLengths >>> (length & 31)) & 1) === 1;
  }
}

export const NO_FIELDS: FieldSet = new FieldSet([]);
