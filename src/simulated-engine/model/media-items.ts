/** The images, sounds and videos of a request, and the hashes by which engines know them. */

import { createHash } from "node:crypto";
import type { InferenceRequest } from "../core/inference-request.ts";

const mediaTypes: ReadonlySet<unknown> = new Set([
  "image_url",
  "audio_url",
  "input_audio",
  "video_url",
]);

export interface MediaItems {
  /** One for each different item; vLLM's `mm_hash`. */
  readonly hashes: readonly string[];
  /** Items, each as often as it stands there. */
  readonly count: number;
  /** There is something else in the messages. */
  readonly hasText: boolean;
}

/** In hashes: 256 tokens, which Qwen2.5-VL makes of 448 by 448 pixels. */
const standInHashes = 16;

/** What stands for an item in a prompt: as many tokens whatever its bytes. Undefined for what is none. */
export function standIn(part: unknown): string | undefined {
  return isMedia(part) ? hashOf(JSON.stringify(part)).repeat(standInHashes) : undefined;
}

export function mediaItems({ transferFields }: InferenceRequest): MediaItems {
  const { messages } = transferFields as { messages?: readonly { content?: unknown }[] };
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
