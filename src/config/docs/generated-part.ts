/** Generated parts of pages that are written by hand. */

/**
 * The page with the text between its markers `<!-- begin generated: NAME -->` and `<!-- end generated: NAME -->`
 * replaced. Throws when the page does not have both.
 */
export function withGeneratedPart(page: string, name: string, text: string): string {
  const begin = `<!-- begin generated: ${name} -->\n`;
  const end = `<!-- end generated: ${name} -->\n`;
  const from = page.indexOf(begin);
  const to = page.indexOf(end, from);
  if (from < 0 || to < 0) throw new Error(`the page has no "${begin.trim()}" with its end`);
  return `${page.slice(0, from + begin.length)}\n${text}\n\n${page.slice(to)}`;
}
