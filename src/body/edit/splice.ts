/** Changes top-level members of a JSON object by splicing bytes: what is not edited stays byte for byte. */

import type { KeyName } from "../json/key-name.ts";
import type { TopLevel } from "../json/top-level.ts";
import type { OutgoingBody } from "./pieces.ts";

/** The edit of a member; a positive number is the source of its new value. */
const keep = 0;
const remove = -1;

/** Integers per piece of the result: source, start, end. */
const stride = 3;

/** Shorter pieces are copied byte by byte: a native copy costs more to call than it saves. */
const shortBytes = 16;

/**
 * The edits to one object, and the resulting body. Created once and used for many: `start` drops earlier edits. Edits
 * may come in any order; if one member gets two, the last one counts.
 */
export class Edits implements OutgoingBody {
  #members: TopLevel | undefined;
  #edits = new Int32Array(16);
  /** Where pieces come from: the scanned buffer first, then new values and openings as edits bring them. */
  readonly #sources: (Buffer | undefined)[] = [];
  #sourceCount = 0;
  /** Sources of the appended members, as they follow each other: opening, value, opening, value. */
  #appended = new Int32Array(8);
  #appendedCount = 0;
  #pieces = new Int32Array(32 * stride);
  #pieceCount = 0;
  #byteLength = 0;
  #isPlanned = false;

  /** Starts edits of the object that was scanned into `members`, which must not change until the result is written. */
  start(members: TopLevel): void {
    this.clear();
    this.#members = members;
    if (this.#edits.length < members.count) this.#edits = new Int32Array(members.count * 2);
    this.#edits.fill(keep, 0, members.count);
    this.#addSource(members.bytes);
  }

  /** Replaces the member's value with `value`, which must be valid JSON. */
  replaceValue(index: number, value: Buffer): void {
    this.#setEdit(index, this.#addSource(value));
  }

  /** Removes the member and one comma beside it. */
  removeMember(index: number): void {
    this.#setEdit(index, remove);
  }

  /** Adds a member behind the last one. `value` must be valid JSON. */
  appendMember(key: KeyName, value: Buffer): void {
    if (this.#appendedCount === this.#appended.length) {
      this.#appended = grown(this.#appended);
    }
    this.#appended[this.#appendedCount++] = this.#addSource(key.opening);
    this.#appended[this.#appendedCount++] = this.#addSource(value);
    this.#isPlanned = false;
  }

  /** Bytes of the result, including the white space around the object. */
  get byteLength(): number {
    this.#plan();
    return this.#byteLength;
  }

  /** Writes the result and returns the offset after it. Throws RangeError when `out` is too short. */
  writeTo(out: Buffer, at: number): number {
    this.#plan();
    if (out.length - at < this.#byteLength)
      throw new RangeError("the buffer is too short for the edited body");
    let to = at;
    for (let i = 0; i < this.#pieceCount * stride; i += stride) {
      to = copy(
        this.#sources[this.#pieces[i]!]!,
        this.#pieces[i + 1]!,
        this.#pieces[i + 2]!,
        out,
        to,
      );
    }
    return to;
  }

  /**
   * The result as views in order, none empty, for a gathering write of a large body without a copy. They stay valid
   * when other edits start while they are being written.
   */
  slices(): Buffer[] {
    this.#plan();
    const slices: Buffer[] = [];
    for (let i = 0; i < this.#pieceCount * stride; i += stride) {
      const source = this.#sources[this.#pieces[i]!]!;
      slices.push(source.subarray(this.#pieces[i + 1]!, this.#pieces[i + 2]!));
    }
    return slices;
  }

  /** Drops the body and the edits, so that their memory can be freed. */
  clear(): void {
    this.#members = undefined;
    this.#sources.fill(undefined, 0, this.#sourceCount);
    this.#sourceCount = 0;
    this.#appendedCount = 0;
    this.#isPlanned = false;
  }

  #addSource(bytes: Buffer): number {
    this.#sources[this.#sourceCount] = bytes;
    return this.#sourceCount++;
  }

  #setEdit(index: number, edit: number): void {
    if (index < 0 || index >= this.#started().count) throw new RangeError(`no member ${index}`);
    this.#edits[index] = edit;
    this.#isPlanned = false;
  }

  #started(): TopLevel {
    if (this.#members === undefined) throw new TypeError("no body to edit");
    return this.#members;
  }

  #plan(): void {
    if (this.#isPlanned) return;
    const members = this.#started();
    this.#pieceCount = 0;
    this.#byteLength = 0;
    this.#isPlanned = true;
    let from = members.start;
    let hasMembers = false;
    for (let i = 0; i < members.count; i++) {
      const edit = this.#edits[i]!;
      if (edit === remove) {
        // A member is removed with the comma before it or, if it is now the first, with the one behind it.
        this.#addPiece(0, from, hasMembers ? members.valueEnd(i - 1) : members.keyStart(i));
        const isFirstOfMore = !hasMembers && i + 1 < members.count;
        from = isFirstOfMore ? members.keyStart(i + 1) : members.valueEnd(i);
        continue;
      }
      hasMembers = true;
      if (edit === keep) continue;
      this.#addPiece(0, from, members.valueStart(i));
      this.#addWhole(edit);
      from = members.valueEnd(i);
    }
    if (this.#appendedCount > 0) from = this.#planAppended(members, from, hasMembers);
    this.#addPiece(0, from, members.end);
  }

  #planAppended(members: TopLevel, from: number, hasMembers: boolean): number {
    const at = members.count > 0 ? members.valueEnd(members.count - 1) : members.objectStart + 1;
    this.#addPiece(0, from, at);
    for (let i = 0; i < this.#appendedCount; i += 2) {
      const opening = this.#appended[i]!;
      // An opening starts with a comma, which the first member of an object must not have.
      this.#addPiece(opening, hasMembers ? 0 : 1, this.#sources[opening]!.length);
      this.#addWhole(this.#appended[i + 1]!);
      hasMembers = true;
    }
    return at;
  }

  #addWhole(source: number): void {
    this.#addPiece(source, 0, this.#sources[source]!.length);
  }

  #addPiece(source: number, from: number, to: number): void {
    if (from >= to) return;
    const at = this.#pieceCount * stride;
    if (at === this.#pieces.length) this.#pieces = grown(this.#pieces);
    this.#pieces[at] = source;
    this.#pieces[at + 1] = from;
    this.#pieces[at + 2] = to;
    this.#pieceCount++;
    this.#byteLength += to - from;
  }
}

function grown(array: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(array.length * 2);
  larger.set(array);
  return larger;
}

/** Copies the bytes of `source` from `from` to `to`, and returns the offset after them in `out`. */
function copy(source: Buffer, from: number, to: number, out: Buffer, at: number): number {
  if (to - from > shortBytes) {
    source.copy(out, at, from, to);
  } else {
    for (let i = 0; i < to - from; i++) out[at + i] = source[from + i]!;
  }
  return at + to - from;
}
