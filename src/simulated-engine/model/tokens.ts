/** Counts a prompt's tokens and makes the answer: text that depends on the prompt and on nothing else. */

import { mix32 } from "./prng.ts";

/** UTF-8 bytes that count as one token, about what real tokenizers reach on English. */
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

/** Text that a proxy must not mistake for something else, or break: one token in 32 is one of these. */
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

/** Tokens in so many bytes of text. Never 0, because every model adds at least one of its own. */
export function tokensOfBytes(textBytes: number): number {
  return Math.max(1, Math.ceil(textBytes / bytesPerToken));
}

/** A token's id is its bytes as a number, the first one lowest, so that ids say which text they came from. */
export function tokenIdsOf(text: Buffer): number[] {
  const padded = Buffer.alloc(tokensOfBytes(text.length) * bytesPerToken);
  text.copy(padded);
  const ids = new Array<number>(padded.length / bytesPerToken);
  for (let index = 0; index < ids.length; index++) {
    ids[index] = padded.readUInt32LE(index * bytesPerToken);
  }
  return ids;
}

/** Token `position` of choice `choice`. Nothing but the three arguments has a say in it. */
export function tokenText(outputSeed: number, choice: number, position: number): string {
  const bits = mix32(outputSeed, choice, position);
  const text =
    (bits & 31) === 0
      ? hazards[(bits >>> 5) % hazards.length]!
      : words[(bits >>> 5) % words.length]!;
  return position === 0 ? text : ` ${text}`;
}

/** The id of that token. It says nothing of the text: tokens of an answer are of any length. */
export function tokenIdAt(outputSeed: number, choice: number, position: number): number {
  return mix32(outputSeed, choice, position) >>> 4;
}

/** How many tokens an answer has when the client sets no bound: 16 to 127. */
export function naturalTokens(outputSeed: number, choice: number): number {
  return 16 + (mix32(outputSeed, choice, -2) % 112);
}

/** What the client said about the length of an answer. */
export interface LengthWishes {
  /** Undefined when the client set none; then the answer has its natural length. */
  readonly maxTokens: number | undefined;
  readonly minTokens: number;
  readonly stop: readonly string[];
  readonly includeStop: boolean;
  /** Tokens that the model's context leaves after the prompt. */
  readonly contextTokens: number;
  /** The model ends the text with this token, unless `minTokens` forbids it; 0 = at its natural length. */
  readonly eosAfterTokens: number;
}

/** How an engine ends an answer that it gives up: after so many tokens, with one more event that has no text. */
export interface ResponseEnd {
  readonly afterTokens: number;
  readonly finishReason: string;
  readonly stopReason: string | null;
}

/** One choice of an answer, known in full before its first token is sent, so that no token needs to be held back. */
export class PlannedOutput {
  /** Events in a stream. */
  tokenCount: number;
  /** Tokens that count in the usage. */
  countedTokens: number;
  finishReason: string;
  stopReason: string | null;
  /** The engine has computed the prompt itself, and can tell its log-probabilities. */
  knowsPrompt = true;
  readonly #outputSeed: number;
  readonly #choice: number;
  /** Tokens of the text that the prompt has already; positions count from there. */
  readonly #from: number;
  /** The token in which a stop string begins, and how many of its characters are kept. */
  #cutToken = Number.POSITIVE_INFINITY;
  #cutChars = 0;

  constructor(outputSeed: number, choice: number, wishes: LengthWishes, from = 0) {
    this.#outputSeed = outputSeed;
    this.#choice = choice;
    this.#from = from;
    const { maxTokens, minTokens } = wishes;
    const natural = Math.max(naturalTokens(outputSeed, choice) - from, minTokens, 1);
    const wanted = Math.min(maxTokens ?? natural, wishes.contextTokens);
    const eosAfterTokens = wishes.eosAfterTokens - from;
    const eos = eosAfterTokens > minTokens && eosAfterTokens <= wanted;
    const bound = eos ? eosAfterTokens : wanted;
    const stopped = wishes.stop.length > 0 ? this.#findStop(bound, wishes) : undefined;
    this.tokenCount = stopped?.tokenCount ?? bound;
    this.countedTokens = this.tokenCount;
    this.stopReason = stopped?.stop ?? null;
    const cutByLength = !eos && (maxTokens !== undefined || bound < natural);
    this.finishReason = stopped === undefined && cutByLength ? "length" : "stop";
  }

  /** Does nothing when the answer ends before that anyway. */
  endEarly({ afterTokens, finishReason, stopReason }: ResponseEnd): void {
    if (afterTokens >= this.tokenCount) return;
    if (afterTokens < this.#cutToken) {
      this.#cutToken = afterTokens;
      this.#cutChars = 0;
    }
    this.tokenCount = afterTokens + 1;
    this.countedTokens = afterTokens;
    this.finishReason = finishReason;
    this.stopReason = stopReason;
  }

  /** The text that token `position` adds. */
  delta(position: number): string {
    if (position > this.#cutToken) return "";
    const text = this.#token(position);
    return position === this.#cutToken ? text.slice(0, this.#cutChars) : text;
  }

  tokenId(position: number): number {
    return tokenIdAt(this.#outputSeed, this.#choice, this.#from + position);
  }

  /** All of the token's text, wherever a stop string cuts it. */
  #token(position: number): string {
    return tokenText(this.#outputSeed, this.#choice, this.#from + position);
  }

  text(): string {
    let text = "";
    for (let position = 0; position < this.tokenCount; position++) text += this.delta(position);
    return text;
  }

  /** As vLLM does, stop strings count from the token after `min_tokens`. */
  #findStop(bound: number, wishes: LengthWishes): { tokenCount: number; stop: string } | undefined {
    const overlapChars = Math.max(...wishes.stop.map((stop) => stop.length)) - 1;
    let tail = "";
    let tailStart = 0;
    for (let position = 0; position < bound; position++) {
      const token = this.#token(position);
      const kept = overlapChars === 0 ? "" : tail.slice(-overlapChars);
      tailStart += tail.length - kept.length;
      tail = kept + token;
      if (position < wishes.minTokens) continue;
      for (const stop of wishes.stop) {
        const at = tail.indexOf(stop);
        if (at < 0) continue;
        this.#cutAt(tailStart + at + (wishes.includeStop ? stop.length : 0));
        return { tokenCount: position + 1, stop };
      }
    }
    return undefined;
  }

  #cutAt(chars: number): void {
    let start = 0;
    for (let position = 0; ; position++) {
      const { length } = this.#token(position);
      if (start + length > chars) {
        this.#cutToken = position;
        this.#cutChars = chars - start;
        return;
      }
      start += length;
    }
  }
}
