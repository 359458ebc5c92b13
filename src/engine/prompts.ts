/** The prompts of a request as bytes and tokens, whatever form they arrive in. */

import { badRequest } from "./request-error.ts";
import { bytesPerToken, tokensOfBytes } from "./tokens.ts";

export interface PromptText {
  readonly bytes: Buffer;
  readonly tokens: number;
}

/** A chat template puts the tools before the messages; what matters is that all of both is in the prompt. */
export function chatPrompt(messages: unknown, tools: unknown): PromptText {
  const bytes = Buffer.from((tools ? JSON.stringify(tools) : "") + JSON.stringify(messages));
  return { bytes, tokens: tokensOfBytes(bytes.length) };
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

/** The same bytes as the text whose tokens they are: some protocols send the one to prefill and the other to decode. */
function idsPrompt(ids: readonly number[]): PromptText {
  if (ids.length === 0) throw badRequest("The decoder prompt cannot be empty.", "prompt");
  const bytes = Buffer.allocUnsafe(ids.length * bytesPerToken);
  ids.forEach((id, index) => {
    bytes.writeUInt32LE(id % 4_294_967_296, index * bytesPerToken);
  });
  let end = bytes.length;
  while (end > bytes.length - bytesPerToken + 1 && bytes[end - 1] === 0) end--;
  return { bytes: bytes.subarray(0, end), tokens: ids.length };
}
