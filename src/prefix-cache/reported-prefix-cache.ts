/**
 * What one engine has in its cache, by its own word: kept from the events that it tells, and never more than they say.
 * Blocks whose beginning is not known, or that other things than tokens name (a LoRA, an image, a salt), are not in it.
 */

import { reportedBlocksMax } from "../limits.ts";
import type { BlockHash, BlocksStored, KvEvent } from "./kv-event.ts";
import { keyAfter, rootKey, type TokenKeys } from "./token-keys.ts";

class Block {
  readonly key: number;
  readonly parent: Block | undefined;
  /** The engine's names of it; 0 = it is gone. */
  hashes = 0;
  /** Blocks that come after it and are there. */
  children = 0;

  constructor(key: number, parent: Block | undefined) {
    this.key = key;
    this.parent = parent;
  }
}

/** Of all caches, so that no two of them ever have the same. */
let versions = 0;

export class ReportedPrefixCache {
  /** Changes with each change, so that what was looked up can be told to be current. */
  version = 0;
  readonly #blocksMax: number;
  /** By the engine's names, and by their keys. */
  readonly #byHash = new Map<BlockHash, Block>();
  readonly #byKey = new Map<number, Block>();
  /** Blocks that are there without the one before them. While there are none, a run is found by halving. */
  #orphans = 0;
  #blockTokens = 0;

  constructor(blocksMax: number = reportedBlocksMax) {
    this.#blocksMax = blocksMax;
    this.clear();
  }

  get size(): number {
    return this.#byHash.size;
  }

  /** A text = why the engine cannot be followed; then what is here is of no use until `clear`. */
  apply(event: KvEvent): string | undefined {
    versions += 1;
    this.version = versions;
    if (event.type === "stored") return this.#store(event);
    if (event.type === "cleared") this.clear();
    else for (const hash of event.hashes) this.#remove(hash);
    return undefined;
  }

  clear(): void {
    versions += 1;
    this.version = versions;
    this.#byHash.clear();
    this.#byKey.clear();
    this.#orphans = 0;
  }

  /** How many tokens from the start of the prompt the engine has. */
  leadingTokens(prompt: TokenKeys): number {
    if (this.#blockTokens === 0) return 0;
    const keys = prompt.ofBlocks(this.#blockTokens);
    const run = this.#orphans === 0 ? this.#halve(keys) : this.#walk(keys);
    return run * this.#blockTokens;
  }

  #halve(keys: readonly number[]): number {
    let run = 0;
    let beyond = keys.length + 1;
    while (beyond - run > 1) {
      const middle = (run + beyond) >>> 1;
      if (this.#byKey.has(keys[middle - 1]!)) run = middle;
      else beyond = middle;
    }
    return run;
  }

  #walk(keys: readonly number[]): number {
    let run = 0;
    while (run < keys.length && this.#byKey.has(keys[run]!)) run += 1;
    return run;
  }

  #store({ hashes, parent, tokens, blockTokens, plainBlocks }: BlocksStored): string | undefined {
    if (this.#byHash.size > 0 && blockTokens !== this.#blockTokens)
      return "its blocks have several sizes";
    this.#blockTokens = blockTokens;
    let before = parent === undefined ? undefined : this.#byHash.get(parent);
    // Its beginning is not known, or not made of tokens alone: nobody can ask for it by its tokens.
    const isKnown = parent === undefined || before !== undefined;
    for (let i = 0; i < hashes.length; i += 1) {
      const hash = hashes[i]!;
      // The name counts for what it was given last.
      this.#remove(hash);
      // What comes after a block that has gone just now cannot be reached.
      if (!isKnown || i >= plainBlocks || before?.hashes === 0) continue;
      const from = i * blockTokens;
      const key = keyAfter(before?.key ?? rootKey, tokens, from, from + blockTokens);
      before = this.#add(hash, key, before);
    }
    return this.#byHash.size > this.#blocksMax
      ? `it has more than ${this.#blocksMax} blocks`
      : undefined;
  }

  #add(hash: BlockHash, key: number, parent: Block | undefined): Block {
    let block = this.#byKey.get(key);
    if (block === undefined) {
      block = new Block(key, parent);
      this.#byKey.set(key, block);
      if (parent !== undefined) parent.children += 1;
    }
    block.hashes += 1;
    this.#byHash.set(hash, block);
    return block;
  }

  #remove(hash: BlockHash): void {
    const block = this.#byHash.get(hash);
    if (block === undefined) return;
    this.#byHash.delete(hash);
    block.hashes -= 1;
    if (block.hashes > 0) return;
    this.#byKey.delete(block.key);
    this.#orphans += block.children;
    if (block.parent === undefined) return;
    block.parent.children -= 1;
    if (block.parent.hashes === 0) this.#orphans -= 1;
  }
}
