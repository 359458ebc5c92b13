/**
 * Whether a body has come to its end where only the end of its connection frames it: an engine that dies closes its
 * connection as one does that is done.
 */
import type { HeaderFields } from "../../../http1/fields/header-fields.ts";
import { hasEvents } from "./stream-marks.ts";

export interface BodyEnd {
  add(bytes: Buffer, start: number, end: number): void;
  readonly hasCome: boolean;
}

/** Undefined = the body does not show its end. */
export function bodyEndOf(fields: HeaderFields): BodyEnd | undefined {
  if (fields.get("content-encoding")) return undefined;
  if (hasEvents(fields)) return new StreamEnd();
  return /^application\/json\b/i.test(fields.get("content-type") ?? "") ? new JsonEnd() : undefined;
}

/** An event's name, behind the end of a line: no JSON has one inside of a text. */
const eventName = Buffer.from("\nevent: ");
/** The last events of `/v1/messages` and of `/v1/responses`. */
const lastNames = [
  "message_stop",
  "response.completed",
  "response.incomplete",
  "response.failed",
].map((name) => Buffer.from(`${name}\n`));
/** More than the longest line that is looked for. */
const tailBytes = 64;

/** Finds out whether a stream has come to the end that its API has: `[DONE]`, or the last event. */
export class StreamEnd implements BodyEnd {
  #tail: Buffer = Buffer.alloc(0);
  /** The event under way, or the last one, is one with which streams end. */
  #isLastEvent = false;

  add(bytes: Buffer, start: number, end: number): void {
    const part = bytes.subarray(start, end);
    // A line may be cut anywhere.
    const seam = Buffer.concat([this.#tail, part.subarray(0, tailBytes)]);
    this.#look(seam);
    if (part.length > tailBytes) this.#look(part);
    this.#tail = Buffer.from((part.length > tailBytes ? part : seam).subarray(-tailBytes));
  }

  get hasCome(): boolean {
    const text = this.#tail.toString("latin1").replaceAll("\r\n", "\n");
    if (/(^|\n)data: ?\[DONE\][\r\n]*$/.test(text)) return true;
    return this.#isLastEvent && text.endsWith("\n\n");
  }

  #look(bytes: Buffer): void {
    const at = bytes.lastIndexOf(eventName);
    if (at < 0) return;
    const from = at + eventName.length;
    this.#isLastEvent = lastNames.some((name) =>
      bytes.subarray(from, from + name.length).equals(name),
    );
  }
}

const [quote, backslash, openBracket, closeBracket, openBrace, closeBrace] = Buffer.from('"\\[]{}');

/** Finds out whether all brackets of a JSON text are closed. */
class JsonEnd implements BodyEnd {
  #depth = 0;
  #isText = false;
  #isEscaped = false;

  add(bytes: Buffer, start: number, end: number): void {
    for (let at = start; at < end; at += 1) {
      const byte = bytes[at];
      if (this.#isEscaped) this.#isEscaped = false;
      else if (byte === backslash) this.#isEscaped = this.#isText;
      else if (byte === quote) this.#isText = !this.#isText;
      else if (!this.#isText) this.#bracket(byte);
    }
  }

  /** Of a text that is no list and no object, nothing is known. */
  get hasCome(): boolean {
    return this.#depth === 0 && !this.#isText;
  }

  #bracket(byte: number | undefined): void {
    if (byte === openBrace || byte === openBracket) this.#depth += 1;
    else if (byte === closeBrace || byte === closeBracket) this.#depth -= 1;
  }
}
