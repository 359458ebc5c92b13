/** The simulated tokenizer and model: counts tokens, and makes text that depends on the prompt and on nothing else. */

import { mix32 } from "./prng.ts";

/** UTF-8 bytes that count as one token: about what real tokenizers reach on English text. */
export const bytesPerToken = 4;

const words =
  `the of and a to in is that it was for on as with at by from this an are which or one had not but
  what all were when we there can more if no out so up into than them some could time these two then
  first any now such like our over man even most made after also did many before must through back
  years where much your way well down should because each just those people how too little state
  good very make world still own see men work long here get both between life being under never day
  same another know while last might us great old year off come since against go came right used
  take three tree river light stone proxy engine token cache prefill decode queue batch layer`
    .trim()
    .split(/\s+/);

/** Text that a proxy must neither break nor mistake for something else: one token in 32 is one of these. */
const hazards = [
  "naïve",
  "東京",
  "🚀",
  '"quoted"',
  "back\\slash",
  "[DONE]",
  "data:",
  '"usage":{}',
  "two\nlines",
  '{"choices":[',
];

/** All words that responses are made of. */
export const vocabulary: readonly Buffer[] = [...new Set([...words, ...hazards])].map((word) =>
  Buffer.from(word),
);

/** Tokens in so many bytes of text. Never 0, because every model adds at least one token of its own. */
export function tokensOfBytes(textBytes: number): number {
  return Math.max(1, Math.ceil(textBytes / bytesPerToken));
}

/** A token's id is its four bytes as a little-endian number, so that ids can be turned back into the text. */
export function tokenIdsOf(text: Buffer): number[] {
  const padded = Buffer.alloc(tokensOfBytes(text.length) * bytesPerToken);
  text.copy(padded);
  const ids = new Array<number>(padded.length / bytesPerToken);
  for (let index = 0; index < ids.length; index++) {
    ids[index] = padded.readUInt32LE(index * bytesPerToken);
  }
  return ids;
}

/** Token `position` of choice `choice`. It depends on the three arguments alone. */
export function tokenText(outputSeed: number, choice: number, position: number): string {
  const bits = mix32(outputSeed, choice, position);
  const text =
    (bits & 31) === 0
      ? hazards[(bits >>> 5) % hazards.length]!
      : words[(bits >>> 5) % words.length]!;
  return position === 0 ? text : ` ${text}`;
}

/** The id of that token. It cannot be turned back into text: generated tokens have any length. */
export function tokenIdAt(outputSeed: number, choice: number, position: number): number {
  return mix32(outputSeed, choice, position) >>> 4;
}

/** How many tokens a response has when the client sets no limit: 16 to 127. */
export function naturalTokens(outputSeed: number, choice: number): number {
  return 16 + (mix32(outputSeed, choice, -2) % 112);
}
