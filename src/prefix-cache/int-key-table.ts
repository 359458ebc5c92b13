/**
 * Numbers each key of a set from 0, in typed arrays: open addressing, about 50 ns a look-up where a `Map` of doubles
 * takes several times as long and allocates. A removed key's number is given to the next new one.
 */

/** Slots of the table for each number that there can be: at most half are taken. */
const slotsPerKey = 2;
const leastKeys = 16;

export class IntKeyTable {
  size = 0;
  /** Of each number; what removed ones have means nothing. */
  #keys = new Float64Array(leastKeys);
  /** Of each slot: the number of its key, plus one; 0 = empty. */
  #slots = new Int32Array(leastKeys * slotsPerKey);
  #mask = leastKeys * slotsPerKey - 1;
  readonly #removed: number[] = [];

  /** Numbers are below this. Grows; what is kept by number must grow with it. */
  get capacity(): number {
    return this.#keys.length;
  }

  /** The key of a number that is in use. */
  key(number: number): number {
    return this.#keys[number]!;
  }

  /** The number of `keys[at]`, or -1. (A number that is handed over by itself may be put on the heap for it.) */
  find(keys: ArrayLike<number>, at: number): number {
    const key = keys[at]!;
    const slots = this.#slots;
    const known = this.#keys;
    for (let slot = slotOf(key, this.#mask); ; slot = (slot + 1) & this.#mask) {
      const number = slots[slot]! - 1;
      if (number < 0 || known[number] === key) return number;
    }
  }

  /** The number of a key that is not there yet. */
  add(key: number): number {
    if (this.size === this.#keys.length) this.#grow();
    // With none removed, the numbers in use are those below `size`.
    const number = this.#removed.pop() ?? this.size;
    this.#keys[number] = key;
    this.size += 1;
    this.#place(key, number);
    return number;
  }

  /** Takes out a key that is there. */
  remove(key: number): void {
    let hole = slotOf(key, this.#mask);
    while (this.#keys[this.#slots[hole]! - 1] !== key) hole = (hole + 1) & this.#mask;
    this.#removed.push(this.#slots[hole]! - 1);
    this.size -= 1;
    // What stands behind the hole moves up unless that would put it before its own place, so that no search ends too
    // early.
    for (let at = (hole + 1) & this.#mask; this.#slots[at] !== 0; at = (at + 1) & this.#mask) {
      const home = slotOf(this.#keys[this.#slots[at]! - 1]!, this.#mask);
      if (((at - home) & this.#mask) < ((at - hole) & this.#mask)) continue;
      this.#slots[hole] = this.#slots[at]!;
      hole = at;
    }
    this.#slots[hole] = 0;
  }

  #place(key: number, number: number): void {
    let at = slotOf(key, this.#mask);
    while (this.#slots[at] !== 0) at = (at + 1) & this.#mask;
    this.#slots[at] = number + 1;
  }

  /** Only when all numbers are in use. */
  #grow(): void {
    const keys = new Float64Array(this.#keys.length * 2);
    keys.set(this.#keys);
    this.#slots = new Int32Array(keys.length * slotsPerKey);
    this.#mask = this.#slots.length - 1;
    for (let number = 0; number < this.#keys.length; number += 1)
      this.#place(keys[number]!, number);
    this.#keys = keys;
  }
}

/** Keys are whole numbers below 2^53; both halves count. */
function slotOf(key: number, mask: number): number {
  const mixed = Math.imul((key ^ Math.imul(key / 0x1_0000_0000, 0x85ebca6b)) | 0, 0x9e3779b1);
  return (mixed ^ (mixed >>> 15)) & mask;
}
