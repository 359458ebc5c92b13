/** Text of templates in header lines. Heads are written as latin1, one character for each byte. */

/** Text of the configuration as the bytes of its UTF-8. */
export function utf8(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}

/** Values come from variables, some of which a client fills (decoded paths): no line may end early. */
export function singleLine(value: string): string {
  if (!/[\r\n\0\u0100-\uffff]/.test(value)) return value;
  // Written as latin1 a character beyond it would be its low byte, which for U+010A is a line feed.
  return value.replace(/[\r\n\0]+/g, " ").replace(/[\u0100-\u{10ffff}]/gu, (char) => utf8(char));
}
