/** Which engines have a block: a bit for each engine. */
import { IntKeyTable } from "./int-key-table.ts";

export class BlockHolders {
  /** Of 32 engines each, for one block. */
  readonly words: number;
  readonly #table = new IntKeyTable();
  /** Signed, as small integers need no memory of their own. */
  #bits: Int32Array;

  readonly #removed = new Float64Array(1);

  constructor(engines: number) {
    this.words = (engines + 31) >>> 5;
    this.#bits = new Int32Array(this.#table.capacity * this.words);
  }

  /** Blocks that some engine has. */
  get size(): number {
    return this.#table.size;
  }

  /** Where the block's words begin, for `word`; negative = no engine has it. */
  find(blocks: readonly number[], at: number): number {
    return this.#table.find(blocks, at) * this.words;
  }

  word(at: number): number {
    return this.#bits[at]!;
  }

  /** The engine has `blocks[at]`. */
  add(blocks: readonly number[], at: number, engine: number): void {
    let number = this.#table.find(blocks, at);
    if (number < 0) {
      number = this.#table.add(blocks[at]!);
      if (this.#bits.length < this.#table.capacity * this.words) {
        const bits = new Int32Array(this.#table.capacity * this.words);
        bits.set(this.#bits);
        this.#bits = bits;
      }
    }
    const word = number * this.words + (engine >>> 5);
    this.#bits[word] = this.#bits[word]! | (1 << (engine & 31));
  }

  /** The engine has the block no more; it had it. */
  remove(block: number, engine: number): void {
    this.#removed[0] = block;
    const from = this.#table.find(this.#removed, 0) * this.words;
    const at = from + (engine >>> 5);
    this.#bits[at] = this.#bits[at]! & ~(1 << (engine & 31));
    for (let word = from; word < from + this.words; word += 1) if (this.#bits[word] !== 0) return;
    this.#table.remove(block);
  }
}
