// The field lines of one head, as offsets into its text: no field is an object or a string until a caller asks.

import { LOWER } from "../charset.ts";
import { fieldIdOf } from "./field-ids.ts";

// Per field: start and end of the name, start and end of the value, id. A line starts where its name does.
const STRIDE = 5;
const FIELDS_AT_FIRST = 24;

/**
 * A connection owns it and reuses it for one head after another; its contents are valid until the next parse into it. A
 * name or value that is referenced for longer keeps the whole head's text in memory, because a substring is a view.
 */
export class HeaderFields {
  /** The head's text, one character per byte (latin1). */
  text = "";
  count = 0;
  private offsets = new Int32Array(FIELDS_AT_FIRST * STRIDE);
  private blockEnd = 0;
  /** Ids present, ids present more than once: two words of bits each. `first` is valid for present ids alone. */
  private readonly present = new Int32Array(2);
  private readonly repeated = new Int32Array(2);
  private readonly first = new Int32Array(64);
  /** Ranges of unknown names that this head's Connection header nominates. */
  private nominated: number[] = [];

  copy(): HeaderFields {
    const copy = new HeaderFields();
    copy.text = this.text;
    copy.count = this.count;
    copy.offsets = this.offsets.slice();
    copy.blockEnd = this.blockEnd;
    copy.present.set(this.present);
    copy.repeated.set(this.repeated);
    copy.first.set(this.first);
    copy.nominated = [...this.nominated];
    return copy;
  }

  /** @internal */
  reset(text: string): void {
    this.text = text;
    this.count = 0;
    this.blockEnd = 0;
    this.present[0] = 0;
    this.present[1] = 0;
    this.repeated[0] = 0;
    this.repeated[1] = 0;
    if (this.nominated.length > 0) this.nominated = [];
  }

  /** @internal `lineEnd` is just after the line's CRLF. */
  add(
    id: number,
    nameStart: number,
    nameEnd: number,
    valueStart: number,
    valueEnd: number,
    lineEnd: number,
  ): void {
    const at = this.count * STRIDE;
    if (at === this.offsets.length) this.grow();
    const offsets = this.offsets;
    offsets[at] = nameStart;
    offsets[at + 1] = nameEnd;
    offsets[at + 2] = valueStart;
    offsets[at + 3] = valueEnd;
    offsets[at + 4] = id;
    this.blockEnd = lineEnd;
    if (id > 0) this.note(id);
    this.count++;
  }

  private note(id: number): void {
    const word = id >>> 5;
    const bit = 1 << (id & 31);
    if ((this.present[word]! & bit) !== 0) {
      this.repeated[word]! |= bit;
    } else {
      this.present[word]! |= bit;
      this.first[id] = this.count;
    }
  }

  private grow(): void {
    const larger = new Int32Array(this.offsets.length * 2);
    larger.set(this.offsets);
    this.offsets = larger;
  }

  /** @internal The Connection header nominates the unknown name text[start, end). */
  nominate(start: number, end: number): void {
    this.nominated.push(start, end);
  }

  /** Characters of the name. */
  nameLength(i: number): number {
    const at = i * STRIDE;
    return this.offsets[at + 1]! - this.offsets[at]!;
  }

  name(i: number): string {
    const at = i * STRIDE;
    return this.text.slice(this.offsets[at], this.offsets[at + 1]);
  }

  /** Value without the white space around it. */
  value(i: number): string {
    const at = i * STRIDE;
    return this.text.slice(this.offsets[at + 2], this.offsets[at + 3]);
  }

  /** A `FieldId`; 0 for a name that has none, `IGNORED_FIELD` for a line that does not count. */
  id(i: number): number {
    return this.offsets[i * STRIDE + 4]!;
  }

  /** Offset in `text` of the line's first character. */
  lineStart(i: number): number {
    return this.offsets[i * STRIDE]!;
  }

  /** Offset in `text` just after the line's CRLF. */
  lineEnd(i: number): number {
    return i + 1 < this.count ? this.offsets[(i + 1) * STRIDE]! : this.blockEnd;
  }

  /** @internal */
  valueStart(i: number): number {
    return this.offsets[i * STRIDE + 2]!;
  }

  /** @internal */
  valueEnd(i: number): number {
    return this.offsets[i * STRIDE + 3]!;
  }

  has(id: number): boolean {
    return ((this.present[id >>> 5]! >>> (id & 31)) & 1) === 1;
  }

  /** Whether the field has more than one line. */
  repeats(id: number): boolean {
    return ((this.repeated[id >>> 5]! >>> (id & 31)) & 1) === 1;
  }

  /** Index of the first line with this id, or -1. */
  indexOf(id: number): number {
    return this.has(id) ? this.first[id]! : -1;
  }

  /** Value of a field by its lower-case name; the values of several lines joined. */
  get(lowerName: string, separator = ", "): string | undefined {
    const id = fieldIdOf(lowerName);
    if (id !== 0 && !this.repeats(id)) {
      return this.has(id) ? this.value(this.first[id]!) : undefined;
    }
    let joined: string | undefined;
    for (let i = 0; i < this.count; i++) {
      if (this.id(i) !== id || (id === 0 && !this.isNamed(i, lowerName))) continue;
      joined = joined === undefined ? this.value(i) : joined + separator + this.value(i);
    }
    return joined;
  }

  private isNamed(i: number, lowerName: string): boolean {
    if (this.nameLength(i) !== lowerName.length) return false;
    const start = this.lineStart(i);
    for (let k = 0; k < lowerName.length; k++) {
      if (LOWER[this.text.charCodeAt(start + k)] !== lowerName.charCodeAt(k)) return false;
    }
    return true;
  }

  /** How many unknown names this head's Connection header nominates. */
  get nominatedCount(): number {
    return this.nominated.length >>> 1;
  }

  /** Whether this head's Connection header nominates the unknown name of line i. */
  isNominated(i: number): boolean {
    const { nominated, text } = this;
    const start = this.lineStart(i);
    const length = this.nameLength(i);
    for (let n = 0; n < nominated.length; n += 2) {
      const from = nominated[n]!;
      if (nominated[n + 1]! - from !== length) continue;
      let k = 0;
      while (k < length && LOWER[text.charCodeAt(start + k)] === LOWER[text.charCodeAt(from + k)])
        k++;
      if (k === length) return true;
    }
    return false;
  }
}
