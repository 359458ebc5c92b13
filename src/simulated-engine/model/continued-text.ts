/**
 * Finds out that a prompt ends with text that this engine's model has generated for the rest of it. A real model goes on there with
 * what it would have said anyway; here each token follows from the prompt and its position, so these two have to be found again.
 */

import type { InferenceRequest, Prompt } from "../core/inference-request.ts";
import { bytesPerToken, tokenIdAt, tokenText } from "./tokens.ts";

/** The text of which an answer is the rest. */
export interface ContinuedText {
  /** Of the prompt without what was generated. */
  readonly outputSeed: number;
  /** Tokens that are there. */
  readonly tokens: number;
}

/** Bytes at the end of a prompt in which the generated text may begin. */
const windowBytes = 4_096;
const tokensMax = windowBytes;

/**
 * Undefined where there is none. A text prompt that ends with a letter is not told from the text that follows, unless it stands in a
 * message of its own.
 */
export function continuedText(request: InferenceRequest): ContinuedText | undefined {
  const prompt = request.prompts[0]!;
  if (request.prompts.length > 1 || request.n > 1) return undefined;
  const { answered } = prompt;
  if (answered !== undefined) {
    const outputSeed = request.seedOf(answered.prompt);
    const tokens = textTokens(outputSeed, answered.text);
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

/** How many tokens of that answer the text is; undefined when it is something else. */
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

/** Ends a prompt of ids as the text of which they are does. */
function withoutPadding(bytes: Buffer): Buffer {
  let end = bytes.length;
  while (end > bytes.length - bytesPerToken + 1 && bytes[end - 1] === 0) end--;
  return bytes.subarray(0, end);
}

function isLetter(byte: number): boolean {
  return (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a) || byte >= 0x80;
}
