/** The last requests as they arrived, so that a test can see what a proxy made of them. */

import { recordedBodyBytesMax, recordedRequestsMax } from "../limits.ts";

/** One entry of `GET /debug/requests`. */
export interface RecordedRequest {
  readonly method: string;
  readonly path: string;
  /** Names and values in turn, as they arrived. */
  readonly rawHeaders: readonly string[];
  readonly bodyBytes: number;
  /** The first 16 KiB. */
  readonly body: string;
}

interface Entry {
  readonly method: string;
  readonly path: string;
  readonly rawHeaders: readonly string[];
  readonly bodyBytes: number;
  readonly head: Buffer;
}

export class RequestLog {
  readonly #entries: Entry[] = [];

  add(method: string, path: string, rawHeaders: readonly string[], body: Buffer): void {
    // The head of a large body is copied, so that an entry does not hold the whole body in memory.
    const head =
      body.length <= recordedBodyBytesMax
        ? body
        : Buffer.from(body.subarray(0, recordedBodyBytesMax));
    this.#entries.push({ method, path, rawHeaders, bodyBytes: body.length, head });
    if (this.#entries.length > recordedRequestsMax) this.#entries.shift();
  }

  list(): RecordedRequest[] {
    return this.#entries.map(({ head, ...entry }) => ({ ...entry, body: head.toString() }));
  }

  json(): string {
    return JSON.stringify(this.list());
  }
}
