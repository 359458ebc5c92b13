/** Finds the images, sounds and videos in a chat's messages, without decoding any of them. */

import { memberOf } from "../edit/patches.ts";
import { arrayElements } from "../json/array.ts";
import { KeyName } from "../json/key-name.ts";
import type { Span } from "../json/member-value.ts";
import type { TopLevel } from "../json/top-level.ts";

const messages = new KeyName("messages");
const content = new KeyName("content");
const type = new KeyName("type");

/** The types of content that vLLM's encoders take (`MM_TYPES` of its `disagg_epd_proxy.py`). */
const mediaTypes: ReadonlySet<unknown> = new Set([
  "image_url",
  "audio_url",
  "input_audio",
  "video_url",
]);
/** The longest spelling: with its quotes, and with every character escaped. */
const typeBytesMax = 2 + 6 * "input_audio".length;

/**
 * The spans of the items, each a whole object of some message's `content`, in the order of the prompt. An item that
 * occurs several times is returned once: it has one embedding. A body without the shape that engines expect has no
 * items; engines reject it. Undefined when there are more than `itemsMax`.
 */
export function mediaItems(members: TopLevel, itemsMax: number): Span[] | undefined {
  const at = members.lastIndexOf(messages);
  if (at < 0) return [];
  const { bytes } = members;
  const items: Span[] = [];
  let count = 0;
  for (const message of arrayElements(bytes, members.valueStart(at), members.valueEnd(at)) ?? []) {
    const parts = memberOf(bytes, message, content);
    // The content of most messages is one string.
    if (parts === undefined || bytes[parts.start] !== 0x5b) continue;
    for (const part of arrayElements(bytes, parts.start, parts.end) ?? []) {
      if (!isMedia(bytes, part)) continue;
      count += 1;
      if (count > itemsMax) return undefined;
      if (!items.some((item) => isSame(bytes, item, part))) items.push(part);
    }
  }
  return items;
}

function isMedia(bytes: Buffer, part: Span): boolean {
  const value = memberOf(bytes, part, type);
  if (value === undefined || value.end - value.start > typeBytesMax) return false;
  try {
    return mediaTypes.has(JSON.parse(bytes.toString("utf8", value.start, value.end)));
  } catch {
    return false;
  }
}

function isSame(bytes: Buffer, one: Span, other: Span): boolean {
  if (one.end - one.start !== other.end - other.start) return false;
  return bytes.compare(bytes, one.start, one.end, other.start, other.end) === 0;
}
