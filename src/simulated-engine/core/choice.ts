/** One choice of a response, as far as its tokens are generated and sent. */

import type { Leg } from "../dialects/dialect.ts";
import { type LengthLimits, PlannedOutput } from "../model/planned-output.ts";
import type { ContinuedText } from "../request/continued-text.ts";
import type { InferenceRequest } from "../request/inference-request.ts";
import type { Sequence } from "./scheduler.ts";

/** Hears of each token that the scheduler lets a choice generate. */
export interface TokenListener {
  onToken(choice: Choice): void;
}

export class Choice implements Sequence {
  generated = 0;
  sent = 0;
  /** The events that precede the first token are sent. */
  started = false;
  lastTokenAtMs = 0;
  readonly index: number;
  readonly output: PlannedOutput;
  readonly #listener: TokenListener;

  constructor(listener: TokenListener, index: number, output: PlannedOutput) {
    this.#listener = listener;
    this.index = index;
    this.output = output;
  }

  step(): boolean {
    this.generated++;
    this.#listener.onToken(this);
    return this.generated < this.output.tokenCount;
  }
}

/**
 * The choices of all prompts of a request: `n` for each prompt, one prompt after the other.
 * @param continues what the prompt has of the response already
 */
export function planChoices(
  { prompts, n }: InferenceRequest,
  continues: ContinuedText | undefined,
  { tokensMax, cutReason }: Leg,
  listener: TokenListener,
): Choice[] {
  const choices: Choice[] = [];
  for (const prompt of prompts) {
    const lengths = limited(prompt.lengths, tokensMax);
    const { outputSeed } = continues ?? prompt;
    for (let index = 0; index < n; index++) {
      const output = new PlannedOutput(outputSeed, index, lengths, continues?.tokens);
      if (output.finishReason === "length" && lengths.maxTokens !== prompt.lengths.maxTokens) {
        output.finishReason = cutReason ?? "length";
      }
      choices.push(new Choice(listener, choices.length, output));
    }
  }
  return choices;
}

/** The lengths that the engine itself allows. */
function limited(lengths: LengthLimits, tokensMax: number | undefined): LengthLimits {
  if (tokensMax === undefined) return lengths;
  return {
    ...lengths,
    maxTokens: Math.min(lengths.maxTokens ?? tokensMax, tokensMax),
    minTokens: Math.min(lengths.minTokens, tokensMax),
  };
}
