/** What the bytes of an event stream show of it, without its events being read. */
import type { HeaderFields } from "../../../http1/fields/header-fields.ts";

export function hasEvents(fields: HeaderFields): boolean {
  return /^text\/event-stream\b/i.test(fields.get("content-type") ?? "");
}

/** Whether other events can be put before and behind them. */
export function hasReadableEvents(fields: HeaderFields): boolean {
  return hasEvents(fields) && !fields.get("content-encoding");
}

const errorStarts = ['data: {"error"', 'data: {"object":"error"', "event: error\n"].map((text) =>
  Buffer.from(text),
);

/** Whether a stream begins with an error: what engines send of a request that fails behind a status of 200. */
export function beginsWithError(bytes: Buffer, start: number, end: number): boolean {
  return errorStarts.some(
    (text) =>
      end - start >= text.length &&
      bytes.compare(text, 0, text.length, start, start + text.length) === 0,
  );
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
export class StreamEnd {
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
