/** Blocks in the order of their last use. */
import { IntKeyTable } from "./int-key-table.ts";

const none = -1;

export class BlockLru {
  readonly #table = new IntKeyTable();
  /** Neighbours of each block by its number in the table: towards older, and towards newer. */
  #older = new Int32Array(this.#table.capacity);
  #newer = new Int32Array(this.#table.capacity);
  #oldest = none;
  #newest = none;

  get size(): number {
    return this.#table.size;
  }

  has(blocks: readonly number[], at: number): boolean {
    return this.#table.find(blocks, at) >= 0;
  }

  /** Makes `blocks[at]` the block used last; whether it was not there before. */
  use(blocks: readonly number[], at: number): boolean {
    let number = this.#table.find(blocks, at);
    const isNew = number < 0;
    if (isNew) {
      number = this.#table.add(blocks[at]!);
      if (this.#older.length < this.#table.capacity) this.#grow();
    } else {
      if (number === this.#newest) return false;
      this.#unlink(number);
    }
    this.#older[number] = this.#newest;
    this.#newer[number] = none;
    if (this.#newest === none) this.#oldest = number;
    else this.#newer[this.#newest] = number;
    this.#newest = number;
    return isNew;
  }

  /** Takes out `blocks[at]`; whether it was there. */
  remove(blocks: readonly number[], at: number): boolean {
    const number = this.#table.find(blocks, at);
    if (number < 0) return false;
    this.#unlink(number);
    this.#table.remove(blocks[at]!);
    return true;
  }

  /** Takes out the block that was not used for the longest time, of which there is at least one. */
  removeOldest(): number {
    const number = this.#oldest;
    const block = this.#table.key(number);
    this.#unlink(number);
    this.#table.remove(block);
    return block;
  }

  /** From the one that was not used for the longest time on. */
  forEach(visit: (block: number) => void): void {
    for (let number = this.#oldest; number !== none; number = this.#newer[number]!) {
      visit(this.#table.key(number));
    }
  }

  #unlink(number: number): void {
    const older = this.#older[number]!;
    const newer = this.#newer[number]!;
    if (older === none) this.#oldest = newer;
    else this.#newer[older] = newer;
    if (newer === none) this.#newest = older;
    else this.#older[newer] = older;
  }

  #grow(): void {
    const older = new Int32Array(this.#table.capacity);
    const newer = new Int32Array(this.#table.capacity);
    older.set(this.#older);
    newer.set(this.#newer);
    this.#older = older;
    this.#newer = newer;
  }
}
