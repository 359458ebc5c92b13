/**
 * Who is told what of the dashboard. Each kind of message is made once for all readers, and sent only if it has
 * changed; a reader that comes gets the last one of each kind. A reader that does not read is dropped.
 */
import { dashboardPendingBytesMax, dashboardReadersMax } from "../../limits.ts";
import type { AdminSink } from "../response.ts";
import type { Messages } from "./messages.ts";

export class Feed {
  readonly #readers = new Set<AdminSink>();
  /** The last event of each kind. */
  readonly #last = new Map<string, string>();
  readonly #history: () => Messages["history"];

  constructor(history: () => Messages["history"]) {
    this.#history = history;
  }

  get isRead(): boolean {
    return this.#readers.size > 0;
  }

  get isFull(): boolean {
    return this.#readers.size >= dashboardReadersMax;
  }

  /** @returns what to do when the reader has gone */
  add(sink: AdminSink): () => void {
    sink.write(eventOf("history", this.#history()));
    for (const [name, event] of this.#last) if (name !== "point") sink.write(event);
    this.#readers.add(sink);
    return () => {
      this.#readers.delete(sink);
      // What nobody has been told for a while is no news.
      if (!this.isRead) this.#last.clear();
    };
  }

  send<Name extends keyof Messages>(name: Name, message: Messages[Name]): void {
    const event = eventOf(name, message);
    if (this.#last.get(name) === event) return;
    this.#last.set(name, event);
    for (const reader of [...this.#readers]) {
      if (reader.pendingBytes <= dashboardPendingBytesMax) reader.write(event);
      else {
        this.#readers.delete(reader);
        reader.destroy();
      }
    }
  }
}

function eventOf<Name extends keyof Messages>(name: Name, message: Messages[Name]): string {
  return `event: ${name}\ndata: ${JSON.stringify(message)}\n\n`;
}
