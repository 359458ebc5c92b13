/** One choice of a response, planned in full before its first token is sent, so that no token needs to be held back. */

import { naturalTokens, tokenIdAt, tokenText } from "./tokens.ts";

/** What limits the length of a response. */
export interface LengthLimits {
  /** Undefined when the client set none; then the response has its natural length. */
  readonly maxTokens: number | undefined;
  readonly minTokens: number;
  readonly stop: readonly string[];
  readonly includeStop: boolean;
  /** Tokens that the model's context leaves after the prompt. */
  readonly contextTokens: number;
  /** The model ends the text with this token, unless `minTokens` forbids it; 0 = at its natural length. */
  readonly eosAfterTokens: number;
}

/** How an engine ends a request that it preempts: after so many tokens, with one more event that has no text. */
export interface ResponseEnd {
  readonly afterTokens: number;
  readonly finishReason: string;
  readonly stopReason: string | null;
}

export class PlannedOutput {
  /** Events in a stream. */
  tokenCount: number;
  /** Tokens that count in the usage. */
  countedTokens: number;
  finishReason: string;
  stopReason: string | null;
  /** The engine computed the prompt itself, and so has its log-probabilities. */
  knowsPrompt = true;
  readonly #outputSeed: number;
  readonly #choice: number;
  /** Tokens of the text that the prompt already has; positions count from there. */
  readonly #from: number;
  /** The token in which a stop string begins, and how many of its characters remain. */
  #cutToken = Number.POSITIVE_INFINITY;
  #cutChars = 0;

  constructor(outputSeed: number, choice: number, limits: LengthLimits, from = 0) {
    this.#outputSeed = outputSeed;
    this.#choice = choice;
    this.#from = from;
    const { maxTokens, minTokens } = limits;
    const natural = Math.max(naturalTokens(outputSeed, choice) - from, minTokens, 1);
    const requested = Math.min(maxTokens ?? natural, limits.contextTokens);
    const eosAfterTokens = limits.eosAfterTokens - from;
    const eos = eosAfterTokens > minTokens && eosAfterTokens <= requested;
    const bound = eos ? eosAfterTokens : requested;
    const stopped = limits.stop.length > 0 ? this.#findStop(bound, limits) : undefined;
    this.tokenCount = stopped?.tokenCount ?? bound;
    this.countedTokens = this.tokenCount;
    this.stopReason = stopped?.stop ?? null;
    const cutByLength = !eos && (maxTokens !== undefined || bound < natural);
    this.finishReason = stopped === undefined && cutByLength ? "length" : "stop";
  }

  /** Does nothing when the response ends before that anyway. */
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

  /** Of a token in the whole text, also of what the prompt already has of it. */
  placeOf(position: number): number {
    return this.#from + position;
  }

  tokenId(position: number): number {
    return tokenIdAt(this.#outputSeed, this.#choice, this.#from + position);
  }

  /** The whole text of the token, also where a stop string cuts it. */
  #token(position: number): string {
    return tokenText(this.#outputSeed, this.#choice, this.#from + position);
  }

  text(): string {
    let text = "";
    for (let position = 0; position < this.tokenCount; position++) text += this.delta(position);
    return text;
  }

  /** As in vLLM, stop strings count from the token after `min_tokens`. */
  #findStop(bound: number, limits: LengthLimits): { tokenCount: number; stop: string } | undefined {
    const overlapChars = Math.max(...limits.stop.map((stop) => stop.length)) - 1;
    let tail = "";
    let tailStart = 0;
    for (let position = 0; position < bound; position++) {
      const token = this.#token(position);
      const overlap = overlapChars === 0 ? "" : tail.slice(-overlapChars);
      tailStart += tail.length - overlap.length;
      tail = overlap + token;
      if (position < limits.minTokens) continue;
      for (const stop of limits.stop) {
        const at = tail.indexOf(stop);
        if (at < 0) continue;
        this.#cutAt(tailStart + at + (limits.includeStop ? stop.length : 0));
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
