// The bytes of the head that is being parsed, in one buffer that every parse of this thread reuses.

/** Both runtimes have the method, their types do not; `write` with an encoding is 10 ns slower. */
type Latin1Buffer = Buffer & { latin1Write(text: string, at: number): number };

const allocate = (bytes: number): Latin1Buffer => Buffer.allocUnsafeSlow(bytes) as Latin1Buffer;

let scratch = allocate(4_096);

/**
 * The bytes of a latin1 text, valid until the next call. The copy makes scanning faster: for a head of 440 characters
 * 45 + 250 ns on Node 20 instead of 600 ns with `charCodeAt`, and 25 + 125 ns instead of 250 ns on Bun. The caller
 * limits the text's length; the bytes behind the text are left over from earlier heads.
 */
export function bytesOfHead(text: string): Uint8Array {
  if (text.length > scratch.length) scratch = allocate(text.length * 2);
  scratch.latin1Write(text, 0);
  return scratch;
}
