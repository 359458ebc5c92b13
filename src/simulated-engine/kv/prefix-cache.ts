/** The prompt prefixes in an engine's cache, in blocks of 16 tokens, as in vLLM's automatic prefix caching. */

import { tokenIdsOf } from "../model/tokens.ts";
import type { KvPublisher } from "./kv-publisher.ts";

const blockBytes = 64;

/** Tokens in one block, of KV too. */
export const blockTokens = 16;

export class PrefixCache {
  readonly #blocksMax: number;
  /** Chained block hashes, the least recently used first. 53 bits: collisions do not matter in a simulation. */
  readonly #blocks = new Set<number>();
  readonly #publisher: KvPublisher | undefined;

  /** @param publisher publishes what enters and leaves the cache */
  constructor(blocksMax: number, publisher?: KvPublisher) {
    this.#blocksMax = blocksMax;
    this.#publisher = publisher;
  }

  /** Caches the prompt; returns how many of its leading tokens were cached before. */
  visit(prompt: Buffer): number {
    let hash = 0;
    let cached = 0;
    let missed = false;
    let parent: number | undefined;
    for (let start = 0; start + blockBytes <= prompt.length; start += blockBytes) {
      hash = chain(hash, prompt, start);
      const hit = this.#blocks.delete(hash);
      this.#blocks.add(hash);
      missed ||= !hit;
      if (!missed) cached++;
      if (!hit) this.#publishStored(hash, parent, prompt.subarray(start, start + blockBytes));
      parent = hash;
    }
    for (const oldest of this.#blocks) {
      if (this.#blocks.size <= this.#blocksMax) break;
      this.#blocks.delete(oldest);
      this.#publisher?.removed([BigInt(oldest)]);
    }
    this.#publisher?.publish();
    return cached * blockTokens;
  }

  #publishStored(hash: number, parent: number | undefined, block: Buffer): void {
    this.#publisher?.stored({
      hashes: [BigInt(hash)],
      parent: parent === undefined ? undefined : BigInt(parent),
      tokens: tokenIdsOf(block),
      blockTokens,
    });
  }
}

function chain(parent: number, prompt: Buffer, start: number): number {
  let low = (parent ^ 0x811c9dc5) >>> 0;
  let high = (Math.floor(parent / 4_294_967_296) ^ 0x9e3779b1) >>> 0;
  for (let at = start; at < start + blockBytes; at += 4) {
    const word = prompt.readInt32LE(at);
    low = Math.imul(low ^ word, 0x01000193);
    high = Math.imul(high ^ word ^ (low >>> 15), 0x85ebca6b);
    low ^= high >>> 13;
  }
  return ((high >>> 0) & 0x1fffff) * 4_294_967_296 + (low >>> 0);
}
