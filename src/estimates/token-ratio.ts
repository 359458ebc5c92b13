/** How many tokens a byte of a request's body is, learned from what engines report. */

/** Of English text and most tokenizers. */
export const usualBytesPerToken = 4;
/** Weight of one observation, and how far from the usual one may lie to be believed: images and base64 are no text. */
const learningRate = 0.05;
const ratioMin = 1 / 64;
const ratioMax = 2;

export class TokenRatio {
  #tokensPerByte = 1 / usualBytesPerToken;

  tokensOf(bytes: number): number {
    return bytes * this.#tokensPerByte;
  }

  observe(bytes: number, tokens: number): void {
    if (bytes <= 0 || tokens <= 0) return;
    const seen = Math.min(ratioMax, Math.max(ratioMin, tokens / bytes));
    this.#tokensPerByte += learningRate * (seen - this.#tokensPerByte);
  }
}
