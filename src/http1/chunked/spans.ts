// A list of [start, end) ranges in one typed array that is reused for one buffer after another.

const NUMBERS_AT_FIRST = 32;
/** A list that grew beyond this is replaced by a small one at the next reset. */
const NUMBERS_MAX = 1_024;

export class Spans {
  count = 0;
  /** Start and end of each range in turn; entries behind `count` ranges are left over. */
  pairs: Int32Array = new Int32Array(NUMBERS_AT_FIRST);

  /** Adds a range unless it is empty. */
  add(start: number, end: number): void {
    if (start >= end) return;
    const at = this.count * 2;
    if (at === this.pairs.length) {
      const larger = new Int32Array(at * 2);
      larger.set(this.pairs);
      this.pairs = larger;
    }
    this.pairs[at] = start;
    this.pairs[at + 1] = end;
    this.count++;
  }

  /** Removes all ranges, and frees the memory if it is large. */
  reset(): void {
    this.count = 0;
    if (this.pairs.length > NUMBERS_MAX) this.pairs = new Int32Array(NUMBERS_AT_FIRST);
  }
}
