/**
 * Changes a stream of events on its way: finds them in bytes that are cut anywhere, passes on what stays as it came.
 */

import { EventData, EventEnds } from "../../../body/sse.ts";
import type { ResponseFilter } from "../../../dialects/dialect.ts";

export class EventFilter {
  readonly #filter: ResponseFilter;
  readonly #ends = new EventEnds();
  /** The beginning of an event whose end has not come. */
  #buffered: Buffer[] = [];
  #bufferedBytes = 0;
  /** An event is larger than what is held back: the rest of it goes on as it comes. */
  #passes = false;
  /** The engine has given the request up; what follows is not for the client. */
  isUnfinished = false;
  /** From the event on that waits for the prefill's response; undefined = none does. */
  #waiting: Buffer[] | undefined;
  #waitingBytes = 0;
  /** Events that go out together with one that has not come. */
  #held: Buffer[] = [];

  constructor(filter: ResponseFilter) {
    this.#filter = filter;
  }

  /** Whether the bytes, which end with a blank line, can go on as they are, with all framing. */
  passesWhole(bytes: Buffer, start: number, end: number): boolean {
    return (
      this.#buffered.length === 0 &&
      !this.#passes &&
      this.#waiting === undefined &&
      !this.#filter.concerns(bytes, start, end)
    );
  }

  /** Bytes that wait for the prefill's response; 0 = none do. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** The prefill's response has come: what has waited for it goes on. */
  prefillCame(out: Buffer[]): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    this.#waitingBytes = 0;
    for (const part of waiting) this.feed(part, 0, part.length, out);
  }

  /** Adds to `out` what can go to the client. */
  feed(bytes: Buffer, start: number, end: number, out: Buffer[]): void {
    let from = start;
    while (from < end && !this.isUnfinished) {
      if (this.#waiting !== undefined) {
        this.#wait(bytes.subarray(from, end));
        return;
      }
      const to = this.#ends.next(bytes, from, end);
      if (to < 0) {
        this.#keep(bytes.subarray(from, end), out);
        return;
      }
      this.#event(bytes.subarray(from, to), out);
      from = to;
    }
  }

  /** An event that breaks off goes on as it came. */
  end(out: Buffer[]): void {
    this.#letGo(out);
    // In one part: how it arrived has no say in how it goes on.
    if (this.#buffered.length > 0) out.push(Buffer.concat(this.#buffered));
    this.#buffered = [];
    this.#bufferedBytes = 0;
  }

  #letGo(out: Buffer[]): void {
    if (this.#held.length === 0) return;
    out.push(...this.#held);
    this.#held = [];
  }

  #wait(part: Buffer): void {
    this.#waiting ??= [];
    this.#waiting.push(part);
    this.#waitingBytes += part.length;
  }

  #keep(part: Buffer, out: Buffer[]): void {
    if (this.#passes) {
      out.push(part);
      return;
    }
    this.#buffered.push(part);
    this.#bufferedBytes += part.length;
    if (this.#bufferedBytes <= this.#filter.eventBytesMax) return;
    this.#filter.missed?.();
    this.end(out);
    this.#passes = true;
  }

  #event(last: Buffer, out: Buffer[]): void {
    if (this.#passes) {
      this.#passes = false;
      out.push(last);
      return;
    }
    const event = this.#buffered.length === 0 ? last : Buffer.concat([...this.#buffered, last]);
    this.#buffered = [];
    this.#bufferedBytes = 0;
    if (this.#filter.concerns(event, 0, event.length)) this.#change(event, out);
    else out.push(event);
  }

  #change(event: Buffer, out: Buffer[]): void {
    const data = new EventData(event);
    if (data.json && this.#filter.awaitsPrefill?.(data.json)) {
      this.#wait(event);
      return;
    }
    const json = data.json && this.#filter.change(data.json);
    if (json === "unfinished") this.isUnfinished = true;
    else if (json !== "dropped") {
      const changed = json === undefined ? event : data.with(json);
      if (this.#filter.holds) this.#held.push(changed);
      else {
        this.#letGo(out);
        out.push(changed);
      }
    }
  }
}
