/** The events of one streamed response, written no faster than its reader takes them. */

import type { ResponseFormat, Usage } from "../endpoints/endpoint.ts";
import type { ResponseSink } from "../http/reply.ts";
import type { Choice } from "./choice.ts";

export class EventStream {
  /** The reader is slow: nothing more is written until it has caught up. */
  blocked = false;
  readonly #sink: ResponseSink;
  readonly #format: ResponseFormat;
  readonly #usageOf: ((completionTokens: number) => Usage) | undefined;

  /** @param usageOf gives the usage for each event, where the client wants that */
  constructor(
    sink: ResponseSink,
    format: ResponseFormat,
    usageOf: ((completionTokens: number) => Usage) | undefined,
  ) {
    this.#sink = sink;
    this.#format = format;
    this.#usageOf = usageOf;
  }

  write(events: readonly string[]): void {
    for (const event of events) {
      if (event !== "" && !this.#sink.event(event)) this.blocked = true;
    }
  }

  /**
   * Writes the generated tokens. Those that a slow reader cannot take are not stored: they follow from their position.
   */
  writeTokens(choice: Choice): void {
    const { index, output } = choice;
    while (choice.sent < choice.generated && !this.blocked) {
      if (!choice.started) {
        choice.started = true;
        this.write(this.#format.choiceStart(index, this.#usageOf?.(0)));
        if (this.blocked) return;
      }
      choice.sent++;
      const usage = this.#usageOf?.(Math.min(choice.sent, output.countedTokens));
      this.write([this.#format.token(index, output, choice.sent - 1, usage)]);
    }
  }
}
