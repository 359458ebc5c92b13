/** Descriptions of keys: a phrase for tables, and sentences that stand below them. */

/**
 * A description in two paragraphs. `docs/configuration.md` has the first in a table and the second below it; an editor
 * that reads `config.schema.json` shows both.
 */
export function withDetails(phrase: string, ...sentences: readonly string[]): string {
  return `${phrase}\n\n${sentences.join(" ")}`;
}
