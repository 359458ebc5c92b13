/** MurmurHash2 of Austin Appleby with the seed 0, by which nginx splits clients. */
export function murmurHash2(bytes: Uint8Array): number {
  const factor = 0x5bd1e995;
  let length = bytes.length;
  let at = 0;
  let hash = length;
  for (; length >= 4; length -= 4, at += 4) {
    let word = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    word = Math.imul(word, factor);
    word ^= word >>> 24;
    hash = Math.imul(hash, factor) ^ Math.imul(word, factor);
  }
  for (let index = length - 1; index >= 0; index -= 1) hash ^= bytes[at + index]! << (8 * index);
  if (length > 0) hash = Math.imul(hash, factor);
  hash = Math.imul(hash ^ (hash >>> 13), factor);
  return (hash ^ (hash >>> 15)) >>> 0;
}
