/** Server-sent events out of the pieces of a response. */

export interface StreamEvent {
  readonly name: string;
  readonly data: string;
}

export class EventReader {
  #rest = "";

  /** @returns the events that are whole now */
  add(text: string): StreamEvent[] {
    const parts = (this.#rest + text).split("\n\n");
    this.#rest = parts.pop() ?? "";
    return parts.map((part) => {
      const lines = part.split("\n");
      const fieldOf = (field: string) =>
        lines.find((line) => line.startsWith(`${field}: `))?.slice(field.length + 2) ?? "";
      return { name: fieldOf("event"), data: fieldOf("data") };
    });
  }
}
