/** How many tokens a response will have, and has had after so long, learned from those that engines have counted. */

/** Of a chat and a current GPU, until something is known. */
const usualTokens = 256;
const usualMsPerToken = 20;
/** Weight of one observation. */
const learningRate = 0.05;
/** Slower is no decode: it has waited. */
const msPerTokenMax = 1_000;

export class OutputTokens {
  #tokens = usualTokens;
  #msPerToken = usualMsPerToken;

  /** Of a response that is to come, on average. */
  get expected(): number {
    return this.#tokens;
  }

  /** Of one that an engine has worked on for so long. */
  after(ms: number): number {
    return Math.max(0, ms) / this.#msPerToken;
  }

  /** @param ms from the request's way to the engine to the end of the response */
  observe(tokens: number, ms: number): void {
    if (tokens <= 0) return;
    this.#tokens += learningRate * (tokens - this.#tokens);
    const msPerToken = Math.min(msPerTokenMax, Math.max(0, ms) / tokens);
    if (msPerToken > 0) this.#msPerToken += learningRate * (msPerToken - this.#msPerToken);
  }
}
