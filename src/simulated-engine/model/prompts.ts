/** The prompts of a request as bytes and tokens, whatever form they arrive in. */

import { badRequest } from "../http/request-error.ts";
import { standIn } from "./media-items.ts";
import { bytesPerToken, tokensOfBytes } from "./tokens.ts";

export interface PromptText {
  readonly bytes: Buffer;
  readonly tokens: number;
  /** It arrived as token ids. */
  readonly isIds?: boolean;
  /** The prompt ends with the start of a response, which the engine has to continue. */
  readonly prefill?: { readonly prompt: Buffer; readonly text: Buffer };
}

/** As in a chat template, the tools precede the messages, and all of both is in the prompt. */
export function chatPrompt(messages: unknown, tools: unknown): PromptText {
  const text = JSON.stringify(messages, (_, value: unknown) => standIn(value) ?? value);
  const bytes = Buffer.from((tools ? JSON.stringify(tools) : "") + text);
  return { bytes, tokens: tokensOfBytes(bytes.length) };
}

/** The prompt of a chat whose last message is to be continued (`continue_final_message`). */
export function openChatPrompt(messages: readonly unknown[], tools: unknown): PromptText {
  const content = (messages.at(-1) as { content?: unknown }).content;
  const { bytes } = chatPrompt(messages.slice(0, -1), tools);
  const text = Buffer.from(typeof content === "string" ? content : "");
  return { ...chatPrompt(messages, tools), prefill: { prompt: bytes, text } };
}

/** `prompt` is a text, texts, token ids, or lists of token ids. Throws a RequestError for one that is empty. */
export function promptsOf(prompt: unknown): PromptText[] {
  if (typeof prompt === "string") return [textPrompt(prompt)];
  const list = prompt as unknown[];
  if (typeof list[0] === "string") return list.map((text) => textPrompt(text as string));
  if (typeof list[0] === "number") return [idsPrompt(list as number[])];
  return list.map((ids) => idsPrompt(ids as number[]));
}

function textPrompt(text: string): PromptText {
  if (text === "") throw badRequest("The decoder prompt cannot be empty.", "prompt");
  const bytes = Buffer.from(text);
  return { bytes, tokens: tokensOfBytes(bytes.length) };
}

/** The bytes of the text with these ids: some protocols send the text to prefill and the ids to decode. */
function idsPrompt(ids: readonly number[]): PromptText {
  if (ids.length === 0) throw badRequest("The decoder prompt cannot be empty.", "prompt");
  const bytes = Buffer.allocUnsafe(ids.length * bytesPerToken);
  ids.forEach((id, index) => {
    bytes.writeUInt32LE(id % 4_294_967_296, index * bytesPerToken);
  });
  let end = bytes.length;
  while (end > bytes.length - bytesPerToken + 1 && bytes[end - 1] === 0) end--;
  return { bytes: bytes.subarray(0, end), tokens: ids.length, isIds: true };
}
