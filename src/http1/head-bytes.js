// The bytes of the head that is being parsed, in one buffer that every parse of this thread uses again.
let scratch = Buffer.allocUnsafeSlow(4_096);
/**
 * The bytes of a latin1 text, valid until the next call. Scanning them is what the copy buys: over a head of 440
 * characters 45 + 250 ns on Node 20 against 600 ns with `charCodeAt`, and 25 + 125 ns against 250 ns on Bun.
 * The caller has bounded the text's length; what stands behind the text is left over from earlier heads.
 */
export function bytesOfHead(text) {
  if (text.length > scratch.length) scratch = Buffer.allocUnsafeSlow(text.length * 2);
  scratch.write(text, 0, "latin1");
  return scratch;
}
//# sourceMappingURL=head-bytes.js.map
