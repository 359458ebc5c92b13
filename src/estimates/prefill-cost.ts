/**
 * How long a prefill will take at an engine: a shape that holds for transformers, and a factor per engine that is
 * learned.
 */

/** Of the first guess, in ms; what matters is their ratio, as the factor is learned. */
export const baseMs = 20;
const tokenMs = 0.1;
const pairMs = 1e-6;
/** Weight of one observation. */
const learningRate = 0.1;
/** An observation counts as at most so many times what was expected, and at least as the inverse. */
const outlierFactor = 4;

export class PrefillCost {
  /** Of each engine: how many times what the shape says. */
  readonly factors: Float64Array;
  /** Of what was observed at each engine, lately. */
  readonly #typicalMs: Float64Array;

  constructor(engines: number) {
    this.factors = new Float64Array(engines).fill(1);
    this.#typicalMs = new Float64Array(engines).fill(baseMs);
  }

  /** What was learned of an engine, elsewhere. */
  adopt(engine: number, other: PrefillCost, from: number): void {
    this.factors[engine] = other.factors[from]!;
    this.#typicalMs[engine] = other.#typicalMs[from]!;
  }

  /** What a prefill of which nothing is known takes there, in ms. */
  typicalMs(engine: number): number {
    return this.#typicalMs[engine]!;
  }

  /** In ms. */
  predict(engine: number, uncachedTokens: number, tokens: number): number {
    return this.factors[engine]! * shapeMs(uncachedTokens, tokens);
  }

  /** A prefill was given up after so long: it would have taken longer still. */
  observeLeast(engine: number, uncachedTokens: number, tokens: number, waitedMs: number): void {
    if (waitedMs <= this.predict(engine, uncachedTokens, tokens)) return;
    this.observe(engine, uncachedTokens, tokens, waitedMs);
  }

  observe(engine: number, uncachedTokens: number, tokens: number, tookMs: number): void {
    const factor = this.factors[engine]!;
    const seen = tookMs / shapeMs(uncachedTokens, tokens);
    // One stall says little of the next prefill.
    const bounded = Math.min(Math.max(seen, factor / outlierFactor), factor * outlierFactor);
    this.factors[engine] = factor * (1 - learningRate) + bounded * learningRate;
    const typicalMs = this.#typicalMs[engine]!;
    this.#typicalMs[engine] = typicalMs * (1 - learningRate) + tookMs * learningRate;
  }
}

/** Of an engine whose factor is 1. */
export function shapeMs(uncachedTokens: number, tokens: number): number {
  return baseMs + uncachedTokens * rateMs(tokens);
}

/** What each uncached token of a prompt adds to that. */
export function rateMs(tokens: number): number {
  return tokenMs + tokens * pairMs;
}
