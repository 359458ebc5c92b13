/** Server-sent events in bytes: where each one ends, and its data. Lines end with `\n`, `\r\n` or `\r`. */

const lineFeed = 0x0a;
const carriageReturn = 0x0d;

/** Finds the blank lines that end events, over buffers that may be cut at any byte. */
export class EventEnds {
  #isLineEmpty = true;
  #afterReturn = false;

  /** The offset after the first event that ends in the bytes; -1 when none does. The next call continues from there. */
  next(bytes: Buffer, start: number, end: number): number {
    for (let p = start; p < end; p++) {
      const byte = bytes[p];
      const isSecondHalf = this.#afterReturn && byte === lineFeed;
      this.#afterReturn = false;
      if (isSecondHalf) continue;
      if (byte !== lineFeed && byte !== carriageReturn) {
        this.#isLineEmpty = false;
        while (p + 1 < end && bytes[p + 1]! > carriageReturn) p++;
        continue;
      }
      if (!this.#isLineEmpty) {
        this.#isLineEmpty = true;
        this.#afterReturn = byte === carriageReturn;
        continue;
      }
      if (byte === carriageReturn && bytes[p + 1] === lineFeed && p + 1 < end) return p + 2;
      // A line feed at the start of the next buffer belongs to this blank line, and is harmless before another event.
      this.#afterReturn = byte === carriageReturn;
      return p + 1;
    }
    return -1;
  }
}

/** The data of one event, and the event around it. */
export class EventData {
  /** The lines of data, joined by line feeds; undefined when the event has none. */
  readonly json: Buffer | undefined;
  readonly #event: Buffer;
  /** Of each line of data: the line's start, its data's start, its end without the line's end. */
  readonly #lines: number[] = [];

  constructor(event: Buffer) {
    this.#event = event;
    for (let at = 0; at < event.length; ) {
      let end = at;
      while (end < event.length && event[end] !== lineFeed && event[end] !== carriageReturn) end++;
      const data = dataStart(event, at, end);
      if (data >= 0) this.#lines.push(at, data, end);
      at = end + 1;
    }
    this.json = this.#data();
  }

  #data(): Buffer | undefined {
    const lines = this.#lines;
    if (lines.length === 0) return undefined;
    if (lines.length === 3) return this.#event.subarray(lines[1], lines[2]);
    const parts: Buffer[] = [];
    for (let i = 0; i < lines.length; i += 3) {
      if (i > 0) parts.push(newLine);
      parts.push(this.#event.subarray(lines[i + 1], lines[i + 2]));
    }
    return Buffer.concat(parts);
  }

  /** The event with other data; its other lines stay. */
  with(json: Buffer): Buffer {
    const lines = this.#lines;
    const last = lines.length - 1;
    const between: Buffer[] = [this.#event.subarray(0, lines[0])];
    for (let i = 3; i < lines.length; i += 3) {
      // The other fields between two lines of data, each with its line's end.
      between.push(this.#event.subarray(lineAfter(this.#event, lines[i - 1]!), lines[i]));
    }
    const data = json.includes(lineFeed)
      ? Buffer.from(json.toString("latin1").replaceAll("\n", "\ndata: "), "latin1")
      : json;
    return Buffer.concat([...between, dataPrefix, data, this.#event.subarray(lines[last])]);
  }
}

const newLine = Buffer.from("\n");
const dataPrefix = Buffer.from("data: ");
const dataName = Buffer.from("data");

/** Where the data of the line starts; -1 when the line is another field, or a comment. */
function dataStart(event: Buffer, at: number, end: number): number {
  if (end - at < 4) return -1;
  for (let i = 0; i < 4; i++) if (event[at + i] !== dataName[i]) return -1;
  if (end - at === 4) return end;
  if (event[at + 4] !== 0x3a) return -1;
  return event[at + 5] === 0x20 && at + 5 < end ? at + 6 : at + 5;
}

function lineAfter(event: Buffer, lineEnd: number): number {
  return event[lineEnd] === carriageReturn && event[lineEnd + 1] === lineFeed
    ? lineEnd + 2
    : lineEnd + 1;
}
