/**
 * A stream whose client has its head before there is a response. Events follow as they come; any other response, such
 * as an error, becomes one event, since it is too late for its status.
 */
import { usualEventBytesMax } from "../../limits.ts";
import { outcomes } from "../context/outcomes.ts";
import { errorBody } from "./local/error-body.ts";

export const keepAlive: Buffer = Buffer.from(": keep-alive\n\n");

const crlf = Buffer.from("\r\n");
const lastChunk = Buffer.from("0\r\n\r\n");
const nothing = Buffer.alloc(0);
const data = Buffer.from("data: ");
const blankLine = Buffer.from("\n\n");
/** Anthropic's clients go by the name of the event. */
const errorName = Buffer.from("event: error\n");
const anthropicError = Buffer.from('{"type":"error"');
const brace = 0x7b;

export class EarlyStream {
  isStream = false;
  readonly #isFramed: boolean;
  /** A response that is no stream. */
  #parts: Buffer[] = [];
  #bytes = 0;
  #isTooLarge = false;

  /** @param isFramed in chunks */
  constructor(isFramed: boolean) {
    this.#isFramed = isFramed;
  }

  /** A response begins, in place of one before of which nothing has gone out. */
  begin(isStream: boolean): void {
    this.isStream = isStream;
    this.#parts = [];
    this.#bytes = 0;
    this.#isTooLarge = false;
  }

  add(part: Buffer): void {
    this.#bytes += part.length;
    this.#isTooLarge = this.#bytes > usualEventBytesMax;
    if (!this.#isTooLarge) this.#parts.push(part);
  }

  /** What has been added, as one event; undefined = the response was a stream. */
  takeEvent(): Buffer | undefined {
    if (this.isStream) return undefined;
    const whole = Buffer.concat(this.#parts);
    // JSON needs no line ends; an event's data cannot have them.
    for (let i = 0; i < whole.length; i++)
      if (whole[i] === 0x0a || whole[i] === 0x0d) whole[i] = 0x20;
    const isJson = !this.#isTooLarge && whole[0] === brace;
    const body = isJson ? whole : errorBody(outcomes.decodeInvalid, outcomes.decodeInvalid.status);
    const isNamed = body.subarray(0, anthropicError.length).equals(anthropicError);
    return Buffer.concat([isNamed ? errorName : nothing, data, body, blankLine]);
  }

  frame(bytes: Buffer): Buffer {
    if (!this.#isFramed || bytes.length === 0) return bytes;
    return Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, crlf]);
  }

  get end(): Buffer {
    return this.#isFramed ? lastChunk : nothing;
  }
}
