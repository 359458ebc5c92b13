/**
 * Counts the tokens of a response on its way to the client without reading all of it: by the usage at its end, or by
 * its events.
 */

/** Bytes of the response's end that are searched: usage, and what engines put behind it. */
const tailBytes = 2_048;
const event = Buffer.from("data: {");
/** By the names of OpenAI's completions, and of its responses and Anthropic's messages. */
const promptNames = ['"prompt_tokens"', '"input_tokens"'];
const responseNames = ['"completion_tokens"', '"output_tokens"'];

export class ResponseMeter {
  /** Events with data in JSON: of most engines one for each token. */
  events = 0;
  /** Twice the tail, so that it seldom has to be moved. */
  readonly #end = Buffer.allocUnsafe(2 * tailBytes);
  #length = 0;

  add(chunk: Buffer, start: number, end: number): void {
    for (let at = start; ; this.events += 1) {
      at = chunk.indexOf(event, at) + event.length;
      if (at < event.length || at > end) break;
    }
    const from = Math.max(start, end - tailBytes);
    if (this.#length + end - from > this.#end.length) {
      this.#end.copyWithin(0, this.#length - tailBytes, this.#length);
      this.#length = tailBytes;
    }
    this.#length += chunk.copy(this.#end, this.#length, from, end);
  }

  /** As the engine says; -1 = it does not. */
  get promptTokens(): number {
    return this.#last(promptNames);
  }

  get responseTokens(): number {
    return this.#last(responseNames);
  }

  #last(names: readonly string[]): number {
    const text = this.#end.toString("latin1", 0, this.#length);
    for (const name of names) {
      const at = text.lastIndexOf(name);
      const digits = at < 0 ? undefined : /^\s*:\s*(\d{1,9})/.exec(text.slice(at + name.length));
      if (digits) return Number(digits[1]);
    }
    return -1;
  }
}
