/** The images, sounds and videos of a chat, and the hashes by which engines identify them. */

import { createHash } from "node:crypto";

const mediaTypes: ReadonlySet<unknown> = new Set([
  "image_url",
  "audio_url",
  "input_audio",
  "video_url",
]);

export interface MediaItems {
  /** One for each different item; vLLM's `mm_hash`. */
  readonly hashes: readonly string[];
  /** Items, each counted as often as it occurs. */
  readonly count: number;
  /** The messages also contain something else. */
  readonly hasText: boolean;
}

/** In hashes: 256 tokens, as Qwen2.5-VL makes of 448 by 448 pixels. */
const standInHashes = 16;

/** What replaces an item in the prompt: the same number of tokens whatever its bytes. Undefined for other parts. */
export function standIn(part: unknown): string | undefined {
  return isMedia(part) ? hashOf(JSON.stringify(part)).repeat(standInHashes) : undefined;
}

/** @param fields of a chat's body */
export function mediaItems(fields: Readonly<Record<string, unknown>>): MediaItems {
  const { messages } = fields as { messages?: readonly { content?: unknown }[] };
  const contents = (messages ?? []).flatMap(({ content }) => content ?? []) as unknown[];
  const items = contents.filter(isMedia);
  const hashes = new Set(items.map((item) => hashOf(JSON.stringify(item))));
  return { hashes: [...hashes], count: items.length, hasText: items.length < contents.length };
}

function isMedia(part: unknown): boolean {
  return mediaTypes.has((part as { type?: unknown } | null)?.type);
}

function hashOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
