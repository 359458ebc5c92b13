/**
 * One batch of KV events, as vLLM and SGLang publish it (`kv_events.py`): MessagePack, `[ts, events, rank?]` or a map
 * of these. An event is an array that begins with its name (vLLM to 0.25, SGLang), or a map with its name as `type`
 * (vLLM from 0.26).
 */
import { decode } from "@msgpack/msgpack";
import { kvBlockTokensMax, kvEventItemsMax } from "../limits.ts";
import type { BlockHash, KvEvent } from "../prefix-cache/kv-event.ts";

export interface KvBatch {
  /** Seconds since the epoch: tells a batch from another with the same number. */
  readonly ts: number;
  readonly events: readonly KvEvent[];
}

/** Members in the order in which arrays have them. */
const storedMembers = [
  "type",
  "block_hashes",
  "parent_block_hash",
  "token_ids",
  "block_size",
  "lora_id",
  "medium",
  "lora_name",
  "extra_keys",
  "group_idx",
] as const;
const removedMembers = ["type", "block_hashes", "medium", "group_idx"] as const;

const options = {
  // Else a 64-bit hash would be rounded to a double.
  useBigInt64: true,
  maxArrayLength: kvEventItemsMax,
  maxMapLength: 64,
  maxExtLength: 64,
};

type Members = Readonly<Record<string, unknown>>;

/** Wrong in a way that leaves open what the engine has. */
class BatchFault extends Error {}

/** A text = what is wrong with it, as half a sentence: then it is not known what the engine has. */
export function readKvBatch(bytes: Uint8Array): KvBatch | string {
  let batch: unknown;
  try {
    batch = decode(bytes, options);
  } catch {
    return "it is no MessagePack, or too large";
  }
  const [ts, events] = Array.isArray(batch)
    ? (batch as unknown[])
    : isMap(batch)
      ? [batch["ts"], batch["events"]]
      : [];
  if (!Array.isArray(events) || (typeof ts !== "number" && typeof ts !== "bigint"))
    return "it is no batch";
  try {
    return { ts: Number(ts), events: events.flatMap(eventOf) };
  } catch (error) {
    if (error instanceof BatchFault) return error.message;
    throw error;
  }
}

/** None for blocks that are elsewhere than on the accelerator: those an engine must fetch. */
function eventOf(event: unknown): KvEvent[] {
  const name: unknown = Array.isArray(event) ? event[0] : isMap(event) ? event["type"] : undefined;
  switch (name) {
    case "BlockStored":
      return storedOf(membersOf(event, storedMembers));
    case "BlockRemoved": {
      const members = membersOf(event, removedMembers);
      return isOnAccelerator(members)
        ? [{ type: "removed", hashes: hashesOf(members["block_hashes"]) }]
        : [];
    }
    case "AllBlocksCleared":
      return [{ type: "cleared" }];
  }
  throw new BatchFault("an event is of a kind that is not known");
}

function storedOf(members: Members): KvEvent[] {
  if (!isOnAccelerator(members)) return [];
  // Several groups have each their own blocks for the same tokens; a prompt is there when all of them have it.
  if (Number(members["group_idx"] ?? 0) !== 0)
    throw new BatchFault("its model has several groups of KV caches");
  const hashes = hashesOf(members["block_hashes"]);
  const { token_ids: tokens, block_size: blockTokens, parent_block_hash: parent } = members;
  const isSize =
    Number.isInteger(blockTokens) &&
    (blockTokens as number) >= 1 &&
    (blockTokens as number) <= kvBlockTokensMax;
  if (!isSize) throw new BatchFault("a block's size is none");
  if (!isTokens(tokens) || tokens.length !== hashes.length * (blockTokens as number))
    throw new BatchFault("its tokens are not those of its blocks");
  return [
    {
      type: "stored",
      hashes,
      parent: parent === undefined || parent === null ? undefined : hashOf(parent),
      tokens,
      blockTokens: blockTokens as number,
      plainBlocks: plainBlocksOf(members, hashes.length),
    },
  ];
}

function plainBlocksOf(members: Members, blocks: number): number {
  const { lora_id: loraId, lora_name: loraName, extra_keys: extra } = members;
  if ((loraId ?? undefined) !== undefined || (loraName ?? undefined) !== undefined) return 0;
  if ((extra ?? undefined) === undefined) return blocks;
  // One for each block; anything else is not understood.
  if (!Array.isArray(extra) || extra.length !== blocks) return 0;
  const first = extra.findIndex((keys: unknown) => !isNothing(keys));
  return first < 0 ? blocks : first;
}

function isNothing(keys: unknown): boolean {
  return keys === null || keys === undefined || (Array.isArray(keys) && keys.length === 0);
}

function isOnAccelerator({ medium }: Members): boolean {
  return medium === undefined || medium === null || medium === "GPU";
}

function membersOf(event: unknown, names: readonly string[]): Members {
  if (!Array.isArray(event)) return event as Members;
  return Object.fromEntries(names.map((name, at) => [name, event[at] as unknown]));
}

function hashesOf(hashes: unknown): BlockHash[] {
  if (!Array.isArray(hashes)) throw new BatchFault("an event has no block hashes");
  return hashes.map(hashOf);
}

function hashOf(hash: unknown): BlockHash {
  if (typeof hash === "bigint" || typeof hash === "number" || typeof hash === "string") return hash;
  if (hash instanceof Uint8Array)
    return Buffer.from(hash.buffer, hash.byteOffset, hash.length).toString("latin1");
  throw new BatchFault("a block hash is none");
}

function isTokens(tokens: unknown): tokens is number[] {
  return Array.isArray(tokens) && tokens.every((token) => Number.isInteger(token));
}

function isMap(value: unknown): value is Members {
  return typeof value === "object" && value !== null && !(value instanceof Uint8Array);
}
