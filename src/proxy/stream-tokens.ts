/**
 * About how many tokens of a streamed answer have come: events of a stream are about as long as each other, and most engines send one for each
 * token. So the first ones are counted, and then bytes, which costs next to nothing a chunk.
 */

const event = Buffer.from("data: {");

export class StreamTokens {
  /** Infinite = it is no stream; 0 = nothing has come yet. */
  #bytesPerToken = 0;
  #bytes = 0;
  #tokens = 0;

  /** @returns how many tokens more these bytes are, a whole number */
  add(chunk: Buffer, start: number, end: number): number {
    if (this.#bytesPerToken === 0) {
      const events = countEvents(chunk.subarray(start, end));
      this.#bytesPerToken = events === 0 ? Number.POSITIVE_INFINITY : (end - start) / events;
    }
    this.#bytes += end - start;
    const tokens = Math.round(this.#bytes / this.#bytesPerToken);
    const more = tokens - this.#tokens;
    this.#tokens = tokens;
    return more;
  }
}

function countEvents(bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(event); at >= 0; at = bytes.indexOf(event, at + event.length)) {
    count += 1;
  }
  return count;
}
