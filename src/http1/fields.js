// The field lines of one head, as offsets into its text: nothing is allocated per field until a caller asks for a string.
import { LOWER } from "./charset.js";
import { fieldIdOf } from "./field-ids.js";

// Per field: start and end of the name, start and end of the value, id. A line starts where its name does.
const STRIDE = 5;
const FIELDS_AT_FIRST = 24;
/**
 * Owned by a connection and used for one head after another; what it says holds until the next parse into it. A name or
 * value that is kept longer keeps the whole head's text alive, as engines make a substring a view.
 */
export class HeaderFields {
  /** The head's text, one character per byte (latin1). */
  text = "";
  count = 0;
  offsets = new Int32Array(FIELDS_AT_FIRST * STRIDE);
  blockEnd = 0;
  /** Ids present, ids present more than once: two words of bits each. `first` is valid for present ids alone. */
  present = new Int32Array(2);
  repeated = new Int32Array(2);
  first = new Int32Array(64);
  /** Ranges of unknown names that this head's Connection header nominates. */
  nominated = [];
  /** @internal */
  reset(text) {
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
  add(id, nameStart, nameEnd, valueStart, valueEnd, lineEnd) {
    const at = this.count * STRIDE;
    if (at === this.offsets.length) this.grow();
    const offsets = this.offsets;
    offsets[at] = nameStart;
    offsets[at + 1] = nameEnd;
    offsets[at + 2] = valueStart;
    offsets[at + 3] = valueEnd;
    offsets[at + 4] = id;
    this.blockEnd = lineEnd;
    if (id !== 0) this.note(id);
    this.count++;
  }
  note(id) {
    const word = id >>> 5;
    const bit = 1 << (id & 31);
    if ((this.present[word] & bit) !== 0) {
      this.repeated[word] |= bit;
    } else {
      this.present[word] |= bit;
      this.first[id] = this.count;
    }
  }
  grow() {
    const larger = new Int32Array(this.offsets.length * 2);
    larger.set(this.offsets);
    this.offsets = larger;
  }
  /** @internal The Connection header nominates the unknown name text[start, end). */
  nominate(start, end) {
    this.nominated.push(start, end);
  }
  name(i) {
    const at = i * STRIDE;
    return this.text.slice(this.offsets[at], this.offsets[at + 1]);
  }
  /** Value without the white space around it. */
  value(i) {
    const at = i * STRIDE;
    return this.text.slice(this.offsets[at + 2], this.offsets[at + 3]);
  }
  /** A `FieldId`; 0 for a name that has none. */
  id(i) {
    return this.offsets[i * STRIDE + 4];
  }
  /** Offset in `text` of the line's first character. */
  lineStart(i) {
    return this.offsets[i * STRIDE];
  }
  /** Offset in `text` just after the line's CRLF. */
  lineEnd(i) {
    return i + 1 < this.count ? this.offsets[(i + 1) * STRIDE] : this.blockEnd;
  }
  /** @internal */
  valueStart(i) {
    return this.offsets[i * STRIDE + 2];
  }
  /** @internal */
  valueEnd(i) {
    return this.offsets[i * STRIDE + 3];
  }
  has(id) {
    return ((this.present[id >>> 5] >>> (id & 31)) & 1) === 1;
  }
  /** Whether the field has more than one line. */
  repeats(id) {
    return ((this.repeated[id >>> 5] >>> (id & 31)) & 1) === 1;
  }
  /** Index of the first line with this id, or -1. */
  indexOf(id) {
    return this.has(id) ? this.first[id] : -1;
  }
  /** Value of a field by its lower-case name; the values of several lines joined with ", ". */
  get(lowerName) {
    const id = fieldIdOf(lowerName);
    if (id !== 0 && !this.repeats(id)) {
      return this.has(id) ? this.value(this.first[id]) : undefined;
    }
    let joined;
    for (let i = 0; i < this.count; i++) {
      if (this.id(i) !== id || (id === 0 && !this.isNamed(i, lowerName))) continue;
      joined = joined === undefined ? this.value(i) : `${joined}, ${this.value(i)}`;
    }
    return joined;
  }
  isNamed(i, lowerName) {
    const start = this.lineStart(i);
    if (this.offsets[i * STRIDE + 1] - start !== lowerName.length) return false;
    for (let k = 0; k < lowerName.length; k++) {
      if (LOWER[this.text.charCodeAt(start + k)] !== lowerName.charCodeAt(k)) return false;
    }
    return true;
  }
  /** How many unknown names this head's Connection header nominates. */
  get nominatedCount() {
    return this.nominated.length >>> 1;
  }
  /** Whether this head's Connection header nominates the unknown name of line i. */
  isNominated(i) {
    const { nominated, text } = this;
    const start = this.lineStart(i);
    const length = this.offsets[i * STRIDE + 1] - start;
    for (let n = 0; n < nominated.length; n += 2) {
      const from = nominated[n];
      if (nominated[n + 1] - from !== length) continue;
      let k = 0;
      while (k < length && LOWER[text.charCodeAt(start + k)] === LOWER[text.charCodeAt(from + k)])
        k++;
      if (k === length) return true;
    }
    return false;
  }
}
//# sourceMappingURL=fields.js.map
