/** Prompts for measuring and checking engines. */

/** Short common words: one token each with most tokenizers. */
const words = (
  "the of and to in is it on as at by for from with that this have not but all can " +
  "one out time who year some take into just know good see now than look only come " +
  "back after use two how work first even new want day most"
).split(" ");

/**
 * A prompt of about so many tokens that no cache has: it differs from all others in its first word already.
 * @param random uniform in [0, 1)
 */
export function freshPrompt(tokens: number, random: () => number): string {
  const draw = (count: number) => Math.floor(random() * count);
  let text = `${draw(2 ** 48).toString(16)}:`;
  for (let i = 0; i < tokens; i += 1) text += ` ${words[draw(words.length)]}`;
  return text;
}
