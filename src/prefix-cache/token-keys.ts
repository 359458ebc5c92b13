/**
 * Names the prefixes of a prompt by its tokens: one key for each whole block, chained, so that an equal key means equal
 * tokens from the start of the prompt to the end of that block (but for one pair in about 2^53). What engines name
 * blocks by is their own affair.
 */

/** Before the first block. */
export const rootKey = 0x1b87_3593;

/** The key of the block `tokens[from]` to `tokens[to]`, that comes after the one with the key `parent`. */
export function keyAfter(
  parent: number,
  tokens: ArrayLike<number>,
  from: number,
  to: number,
): number {
  let a = Math.floor(parent / 0x20_0000) ^ 0x1656_67b1;
  let b = parent % 0x20_0000;
  for (let at = from; at < to; at += 1) {
    // Two lanes by different factors: what is equal in one by chance is not in the other.
    const token = tokens[at]! | 0;
    a = Math.imul(a ^ token, 0x85eb_ca6b);
    b = Math.imul(b ^ token, 0x9e37_79b1);
    a = (a << 13) | (a >>> 19);
    b = (b << 17) | (b >>> 15);
  }
  a = Math.imul(a ^ (to - from) ^ (b >>> 16), 0xc2b2_ae35);
  b = Math.imul(b ^ (a >>> 15), 0x27d4_eb2f);
  const high = a ^ (b >>> 13);
  const low = b ^ (a << 7);
  return (high >>> 0) * 0x20_0000 + ((low >>> 0) >>> 11);
}

/** A prompt's tokens, and their keys for blocks of any size, made once. */
export class TokenKeys {
  readonly tokens: Int32Array;
  #blockTokens = 0;
  #keys: readonly number[] = [];

  constructor(tokens: Int32Array) {
    this.tokens = tokens;
  }

  ofBlocks(blockTokens: number): readonly number[] {
    if (blockTokens !== this.#blockTokens) {
      this.#blockTokens = blockTokens;
      this.#keys = keysOf(this.tokens, blockTokens);
    }
    return this.#keys;
  }
}

function keysOf(tokens: Int32Array, blockTokens: number): number[] {
  const keys: number[] = [];
  let key = rootKey;
  for (let from = 0; from + blockTokens <= tokens.length; from += blockTokens) {
    key = keyAfter(key, tokens, from, from + blockTokens);
    keys.push(key);
  }
  return keys;
}
