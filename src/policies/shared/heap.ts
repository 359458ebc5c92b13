/** A heap in arrays that are made once: numbers, the least of their keys on top. */
export class Heap {
  count = 0;
  readonly #numbers: Int32Array;
  readonly #keys: Float64Array;

  constructor(capacity: number) {
    this.#numbers = new Int32Array(capacity);
    this.#keys = new Float64Array(capacity);
  }

  clear(): void {
    this.count = 0;
  }

  /** There must be room. */
  add(number: number, key: number): void {
    let at = this.count;
    this.count += 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (this.#keys[parent]! <= key) break;
      this.#put(at, this.#numbers[parent]!, this.#keys[parent]!);
      at = parent;
    }
    this.#put(at, number, key);
  }

  /** There must be one. */
  get top(): number {
    return this.#numbers[0]!;
  }
  get topKey(): number {
    return this.#keys[0]!;
  }

  /** Gives the number on top another key, not below the one that it had. */
  raiseTop(key: number): void {
    this.#sink(this.#numbers[0]!, key);
  }

  removeTop(): void {
    this.count -= 1;
    this.#sink(this.#numbers[this.count]!, this.#keys[this.count]!);
  }

  #sink(number: number, key: number): void {
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= this.count) break;
      if (child + 1 < this.count && this.#keys[child + 1]! < this.#keys[child]!) child += 1;
      if (this.#keys[child]! >= key) break;
      this.#put(at, this.#numbers[child]!, this.#keys[child]!);
      at = child;
    }
    this.#put(at, number, key);
  }

  #put(at: number, number: number, key: number): void {
    this.#numbers[at] = number;
    this.#keys[at] = key;
  }
}
