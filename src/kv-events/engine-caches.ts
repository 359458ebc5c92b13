/**
 * What the engines of all pools have cached by their own word: their KV events, where prompts are tokenised and placed
 * by prefixes.
 */

import type { Pool } from "../pool/pool.ts";
import type { CacheSource } from "../prefix-cache/cache-knowledge.ts";
import { TokenKeys } from "../prefix-cache/token-keys.ts";
import { KvFeeds } from "./feeds.ts";

export class EngineCaches {
  readonly #feeds: KvFeeds;
  /** By pool, then by the engines' numbers. */
  #sources = new Map<string, readonly (CacheSource | undefined)[]>();

  /**
   * @param restarted nothing of what the engine had is there any more
   * @param lostTrack why an engine cannot be followed
   * @param warn of publishers that are of no engine
   */
  constructor(
    restarted: (pool: string, engine: string) => void,
    lostTrack: (pool: string, engine: string, why: string) => void,
    warn: (message: string) => void,
  ) {
    this.#feeds = new KvFeeds(
      (pool, engine) => ({
        restarted: () => restarted(pool, engine),
        lostTrack: (why) => lostTrack(pool, engine, why),
      }),
      warn,
    );
  }

  /** From now on these are the pools. */
  use(pools: readonly Pool[]): void {
    this.#sources = new Map(
      pools.filter(({ usesBlocks }) => usesBlocks).map((pool) => [pool.name, this.#feeds.of(pool)]),
    );
    this.#feeds.closeOthers();
  }

  /** By the engines' numbers; undefined = it does not tell. */
  of(pool: string): readonly (CacheSource | undefined)[] {
    return this.#sources.get(pool) ?? [];
  }

  /** Tokens that engines of the pool have from the start of a prompt, of those of which it is known exactly. */
  leadingTokens({ name, addresses }: Pool, tokenIds: Int32Array): Map<string, number> {
    const keys = new TokenKeys(tokenIds);
    const tokens = new Map<string, number>();
    this.of(name).forEach((source, engine) => {
      if (source?.cache) tokens.set(addresses[engine]!, source.cache.leadingTokens(keys));
    });
    return tokens;
  }

  /** Engines that dial out connect to another process from now on. */
  stopListening(): void {
    this.#feeds.stopListening();
  }

  close(): void {
    this.#feeds.close();
  }
}
