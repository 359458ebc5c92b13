/** A share of all clients, such as `0.5%`. */

/** In hundredths of a percent; undefined = `*`, all that is left. NaN = the text is none. */
export function parseShare(text: string): number | undefined {
  if (text === "*") return undefined;
  const [, whole, fraction = ""] = /^(\d{1,3})(?:\.(\d{1,2}))?%$/.exec(text) ?? [];
  const share = Number(whole) * 100 + Number(fraction.padEnd(2, "0"));
  return share > 0 ? share : Number.NaN;
}
