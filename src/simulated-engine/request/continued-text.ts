/**
 * Recognises a prompt that ends with text which this model has generated. A real model continues such text as if it had
 * not been interrupted; here each token follows from the prompt and its position, so both have to be recovered.
 */

import { bytesPerToken, tokenIdAt, tokensOfBytes, tokenText, vocabulary } from "../model/tokens.ts";
import type { InferenceRequest, Prompt } from "./inference-request.ts";

/** The text that a response continues. */
export interface ContinuedText {
  /** Of the prompt without the generated text. */
  readonly outputSeed: number;
  /** Tokens of it that the prompt already has. */
  readonly tokens: number;
  /** Of the prompt before it. */
  readonly promptTokens: number;
}

/** Bytes at the end of a prompt in which the generated text may begin. */
const windowBytes = 4_096;
const tokensMax = windowBytes;

/** Undefined where there is none. */
export function continuedText(request: InferenceRequest): ContinuedText | undefined {
  const prompt = request.prompts[0]!;
  if (request.prompts.length > 1 || request.n > 1) return undefined;
  const { prefill } = prompt;
  if (prefill !== undefined) {
    const outputSeed = request.seedOf(prefill.prompt);
    const tokens = textTokens(outputSeed, prefill.text);
    const promptTokens = tokensOfBytes(prefill.prompt.length);
    return tokens === undefined ? undefined : { outputSeed, tokens, promptTokens };
  }
  return prompt.isIds ? afterIds(request, prompt) : afterText(request, prompt);
}

/** Ids of a text's own bytes are larger, so that few places have to be looked at. */
const generatedIdsEnd = 2 ** 28;

function afterIds({ seedOf }: InferenceRequest, { bytes, tokens }: Prompt) {
  const padded = Buffer.alloc(tokens * bytesPerToken);
  bytes.copy(padded);
  const idAt = (index: number): number => padded.readUInt32LE(index * bytesPerToken);
  const least = Math.max(1, tokens - windowBytes / bytesPerToken);
  let first = tokens;
  while (first > least && idAt(first - 1) < generatedIdsEnd) first--;
  for (let split = first; split < tokens; split++) {
    const outputSeed = seedOf(withoutPadding(padded.subarray(0, split * bytesPerToken)));
    let count = 0;
    while (split + count < tokens && idAt(split + count) === tokenIdAt(outputSeed, 0, count))
      count++;
    if (split + count === tokens) return { outputSeed, tokens: count, promptTokens: split };
  }
  return undefined;
}

function afterText({ seedOf }: InferenceRequest, { bytes }: Prompt) {
  for (const split of splitsOf(bytes)) {
    const outputSeed = seedOf(bytes.subarray(0, split));
    const tokens = textTokens(outputSeed, bytes.subarray(split));
    if (tokens !== undefined) return { outputSeed, tokens, promptTokens: tokensOfBytes(split) };
  }
  return undefined;
}

/** Where generated text may begin, the longest first: behind it there are only words that this model knows. */
function splitsOf(bytes: Buffer): number[] {
  const splits: number[] = [];
  const least = Math.max(1, bytes.length - windowBytes);
  let at = bytes.length;
  for (let before = at; ; at = before) {
    for (const word of vocabulary) {
      const start = at - word.length;
      if (start < least || !bytes.subarray(start, at).equals(word)) continue;
      splits.unshift(start);
      if (bytes[start - 1] === 0x20) before = Math.min(before, start - 1);
    }
    if (before === at) return splits;
  }
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
