/**
 * Recognises a prompt that ends with text which this model has generated. A real model continues such text as if it had
 * not been interrupted; here each token follows from the prompt and its position, so both have to be recovered.
 */

import { bytesPerToken, tokenIdAt, tokenText } from "../model/tokens.ts";
import type { InferenceRequest, Prompt } from "./inference-request.ts";

/** The text that a response continues. */
export interface ContinuedText {
  /** Of the prompt without the generated text. */
  readonly outputSeed: number;
  /** Tokens of it that the prompt already has. */
  readonly tokens: number;
}

/** Bytes at the end of a prompt in which the generated text may begin. */
const windowBytes = 4_096;
const tokensMax = windowBytes;

/**
 * Undefined where there is none. A text prompt that ends with a letter cannot be distinguished from the generated text
 * behind it, unless that is a message of its own.
 */
export function continuedText(request: InferenceRequest): ContinuedText | undefined {
  const prompt = request.prompts[0]!;
  if (request.prompts.length > 1 || request.n > 1) return undefined;
  const { prefill } = prompt;
  if (prefill !== undefined) {
    const outputSeed = request.seedOf(prefill.prompt);
    const tokens = textTokens(outputSeed, prefill.text);
    return tokens === undefined ? undefined : { outputSeed, tokens };
  }
  return prompt.isIds ? afterIds(request, prompt) : afterText(request, prompt);
}

function afterIds({ seedOf }: InferenceRequest, { bytes, tokens }: Prompt) {
  const padded = Buffer.alloc(tokens * bytesPerToken);
  bytes.copy(padded);
  const first = Math.max(1, tokens - windowBytes / bytesPerToken);
  for (let split = first; split < tokens; split++) {
    const outputSeed = seedOf(withoutPadding(padded.subarray(0, split * bytesPerToken)));
    let count = 0;
    while (
      split + count < tokens &&
      padded.readUInt32LE((split + count) * bytesPerToken) === tokenIdAt(outputSeed, 0, count)
    )
      count++;
    if (split + count === tokens) return { outputSeed, tokens: count };
  }
  return undefined;
}

function afterText({ seedOf }: InferenceRequest, { bytes }: Prompt) {
  for (let split = Math.max(1, bytes.length - windowBytes); split < bytes.length; split++) {
    if (isLetter(bytes[split - 1]!)) continue;
    const outputSeed = seedOf(bytes.subarray(0, split));
    const tokens = textTokens(outputSeed, bytes.subarray(split));
    if (tokens !== undefined) return { outputSeed, tokens };
  }
  return undefined;
}

/** How many tokens of that response the text is; undefined when it is something else. */
function textTokens(outputSeed: number, text: Buffer): number | undefined {
  let at = 0;
  for (let count = 0; count < tokensMax; count++) {
    if (at === text.length) return count;
    const token = Buffer.from(tokenText(outputSeed, 0, count));
    if (!text.subarray(at, at + token.length).equals(token)) return undefined;
    at += token.length;
  }
  return undefined;
}

/** Removes the zero bytes that pad the last id, as `promptsOf` does. */
function withoutPadding(bytes: Buffer): Buffer {
  let end = bytes.length;
  while (end > bytes.length - bytesPerToken + 1 && bytes[end - 1] === 0) end--;
  return bytes.subarray(0, end);
}

function isLetter(byte: number): boolean {
  return (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a) || byte >= 0x80;
}
