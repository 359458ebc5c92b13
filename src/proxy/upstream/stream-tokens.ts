/**
 * About how many tokens of a streamed response have come: events of a stream are about as long as each other, and most
 * engines send one for each token. So the first ones are counted, and then bytes, which costs next to nothing a chunk.
 */

const event = Buffer.from("data: {");
const brace = 0x7b;

export class StreamTokens {
  /** Infinite = it is no stream. */
  readonly #bytesPerToken: number;
  #bytes = 0;
  /** Those that were taken. */
  #tokens = 0;

  constructor(bytesPerToken: number) {
    this.#bytesPerToken = bytesPerToken;
  }

  add(bytes: number): void {
    this.#bytes += bytes;
  }

  /**
   * Not before a response goes to its client: bytes that are held back are no sign of life.
   * @returns how many tokens more have come since the last call, a whole number
   */
  take(): number {
    const tokens = Math.round(this.#bytes / this.#bytesPerToken);
    const more = tokens - this.#tokens;
    this.#tokens = tokens;
    return more;
  }
}

/** Shared by all responses that are not streams: nothing in it counts for them. */
const noStream = new StreamTokens(Number.POSITIVE_INFINITY);

/** For the response that begins with these bytes. */
export function streamTokens(chunk: Buffer, start: number, end: number): StreamTokens {
  // Most responses in one piece show it in their first byte; the others are searched.
  if (chunk[start] === brace) return noStream;
  const bytes = chunk.subarray(start, end);
  let events = 0;
  for (let at = bytes.indexOf(event); at >= 0; at = bytes.indexOf(event, at + event.length)) {
    events += 1;
  }
  return events === 0 ? noStream : new StreamTokens((end - start) / events);
}
