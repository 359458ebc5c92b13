// A list of [start, end) ranges in one typed array that is used again for one buffer after another.

const NUMBERS_AT_FIRST = 32;
/** A list that one odd buffer has made larger than this is given up at the next reset. */
const NUMBERS_KEPT = 1_024;

export class Spans {
  count = 0;
  /** Start and end of each range in turn; what stands behind `count` ranges is left over. */
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

  /** Forgets all ranges, and the memory when there is much of it. */
  reset(): void {
    this.count = 0;
    if (this.pairs.length > NUMBERS_KEPT) this.pairs = new Int32Array(NUMBERS_AT_FIRST);
  }
}
