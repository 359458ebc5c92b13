/** The body of a response on its way: in pieces, so that a client that takes none of them is noticed. */
import type { ServerResponse } from "node:http";
import { adminPieceBytes } from "../limits.ts";

type Response = Pick<ServerResponse, "write" | "end" | "once">;

export interface OutgoingEvents {
  /** A piece waits for the client to read. */
  stalled(): void;
  /** It has been taken. */
  moved(): void;
}

export class Outgoing {
  readonly #response: Response;
  readonly #events: OutgoingEvents;
  readonly #texts: Buffer[] = [];
  #isStalled = false;
  #isEnding = false;
  /** Bytes that the client has not taken yet. */
  pendingBytes = 0;

  constructor(response: Response, events: OutgoingEvents) {
    this.#response = response;
    this.#events = events;
  }

  write(text: string): void {
    const bytes = Buffer.from(text);
    this.#texts.push(bytes);
    this.pendingBytes += bytes.length;
    this.#send();
  }

  /** After what was written. */
  end(): void {
    this.#isEnding = true;
    this.#send();
  }

  #send(): void {
    while (!this.#isStalled) {
      const [text] = this.#texts;
      if (text === undefined) {
        if (this.#isEnding) this.#response.end();
        return;
      }
      const piece = text.subarray(0, adminPieceBytes);
      if (piece.length === text.length) this.#texts.shift();
      else this.#texts[0] = text.subarray(piece.length);
      const isTaken = this.#response.write(piece);
      if (isTaken) this.pendingBytes -= piece.length;
      else this.#waitFor(piece.length);
    }
  }

  #waitFor(bytes: number): void {
    this.#isStalled = true;
    this.#events.stalled();
    this.#response.once("drain", () => {
      this.#isStalled = false;
      this.pendingBytes -= bytes;
      this.#events.moved();
      this.#send();
    });
  }
}
