/** Where a key stands among all keys, for requests of one session that are to go the same way. */
import { crc32Text } from "../../../policies/shared/crc32.ts";

/**
 * In [0, 1), uniform over keys, and another one for each model: CRC-32, its bits mixed by murmur3's finaliser, since
 * those of keys that differ in one character differ by the same bits.
 */
export function splitShare(model: string, key: string): number {
  let hash = crc32Text(`${model}\0${key}`);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}
