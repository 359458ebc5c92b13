/**
 * Numbers in shared memory: a row for each worker and slot, which that worker alone writes, and a reader adds up over
 * all workers.
 */

export interface RowsShape {
  readonly workers: number;
  readonly slots: number;
}

/** In bytes. @param fields numbers of a row */
export function slotRowsLength({ workers, slots }: RowsShape, fields: number): number {
  return workers * slots * fields * 8;
}

export class SlotRows {
  readonly numbers: Float64Array;
  readonly slots: number;
  readonly #fields: number;
  readonly #worker: number;

  /** @param worker whose rows this instance writes */
  constructor(
    memory: SharedArrayBuffer,
    at: number,
    { workers, slots }: RowsShape,
    { worker, fields }: { readonly worker: number; readonly fields: number },
  ) {
    this.numbers = new Float64Array(memory, at, workers * slots * fields);
    this.slots = slots;
    this.#fields = fields;
    this.#worker = worker;
  }

  /** Where a row begins. */
  at(worker: number, slot: number): number {
    return (worker * this.slots + slot) * this.#fields;
  }

  add(slot: number, field: number, count: number): void {
    const at = this.at(this.#worker, slot) + field;
    this.numbers[at] = this.numbers[at]! + count;
  }

  set(slot: number, field: number, value: number): void {
    this.numbers[this.at(this.#worker, slot) + field] = value;
  }

  sum(slot: number, field: number): number {
    let sum = 0;
    const step = this.slots * this.#fields;
    for (let at = slot * this.#fields + field; at < this.numbers.length; at += step) {
      sum += this.numbers[at]!;
    }
    return sum;
  }

  /** The smallest of all workers' that is above 0; undefined = none is. */
  leastAboveZero(slot: number, field: number): number | undefined {
    let least: number | undefined;
    const step = this.slots * this.#fields;
    for (let at = slot * this.#fields + field; at < this.numbers.length; at += step) {
      const value = this.numbers[at]!;
      if (value > 0 && value < (least ?? Number.POSITIVE_INFINITY)) least = value;
    }
    return least;
  }

  /** Clears a slot before another engine gets it. */
  clearSlot(slot: number): void {
    const step = this.slots * this.#fields;
    for (let at = slot * this.#fields; at < this.numbers.length; at += step) {
      this.numbers.fill(0, at, at + this.#fields);
    }
  }
}
