/** What an engine tells of its KV cache, as far as it says which prompts are in it. */

/** By which an engine knows a block: opaque, and only equal to itself. 64-bit numbers are never doubles. */
export type BlockHash = bigint | number | string;

export interface BlocksStored {
  readonly type: "stored";
  readonly hashes: readonly BlockHash[];
  /** The block before the first one; undefined = a prompt begins here. */
  readonly parent: BlockHash | undefined;
  /** Of all blocks: `blockTokens` for each. */
  readonly tokens: readonly number[];
  readonly blockTokens: number;
  /** So many of the first blocks are named by tokens alone; others also by a LoRA, an image or a salt. */
  readonly plainBlocks: number;
}

export interface BlocksRemoved {
  readonly type: "removed";
  readonly hashes: readonly BlockHash[];
}

export type KvEvent = BlocksStored | BlocksRemoved | { readonly type: "cleared" };
