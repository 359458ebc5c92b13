/**
 * Passes the bytes of a response on as they come. A client that falls behind stops the reading of its own engine, and
 * nothing else.
 */
import { bufferedResponseBytesMax } from "../../../limits.ts";
import type { EngineConnection } from "../../upstream/connection/engine-connection.ts";
import type { ForwardedRequest } from "../../upstream/forwarded-request.ts";

export class Relay {
  readonly #request: ForwardedRequest;
  /** The connection that is not read until the client has caught up. */
  #paused: EngineConnection | undefined;

  constructor(request: ForwardedRequest) {
    this.#request = request;
  }

  get isPaused(): boolean {
    return this.#paused !== undefined;
  }

  /** Reads no more of the connection if too much waits for the client, or is held back from it. */
  pauseIfBehind(connection: EngineConnection): void {
    const { response, pendingBytes, worker } = this.#request;
    const isBehind = pendingBytes > 0 && pendingBytes > worker.pending.perClientMax;
    if (isBehind || response.bufferedBytes > bufferedResponseBytesMax) {
      this.#paused = connection;
      connection.pause();
    }
  }

  /** The client has caught up. */
  resume(): void {
    this.#paused?.resume();
    this.#paused = undefined;
  }

  /** The response is complete: its connection is another request's. */
  release(): void {
    this.#paused = undefined;
  }
}
