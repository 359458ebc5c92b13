/** The one deadline of a client connection: for what the connection is doing, or for the client to read on. */
import type { Deadlines, Expirable } from "../../transport/deadlines.ts";
import type { Socket } from "../../transport/socket.ts";

export class ConnectionDeadline implements Expirable {
  deadlineMs = Number.POSITIVE_INFINITY;
  deadlineIndex = -1;
  /** Whether the deadline is for the client to read what waits for it. */
  isForReading = false;
  readonly expired: () => void;
  readonly #socket: Socket;
  readonly #deadlines: Deadlines;
  /** Given to the socket so far. */
  #writtenBytes = 0;
  /** Had left the socket when the client was last found to read. */
  #flushedBytes = 0;
  /** Were in the socket's write queue at that time. */
  #queuedBytes = 0;

  constructor(socket: Socket, deadlines: Deadlines, expired: () => void) {
    this.#socket = socket;
    this.#deadlines = deadlines;
    this.expired = expired;
    deadlines.add(this);
  }

  /** @param ms 0 = none */
  set(ms: number): void {
    this.isForReading = false;
    this.deadlineMs = this.#deadlines.dueIn(ms);
  }

  /** Without a deadline; one for reading starts with the next write that waits. */
  clear(): void {
    this.deadlineMs = Number.POSITIVE_INFINITY;
  }

  /** From now on the client has so many ms to read some of what waits for it. */
  setForReading(timeoutMs: number): void {
    this.#flushedBytes = this.#writtenBytes - this.#socket.pendingBytes;
    this.#queuedBytes = this.#socket.writeQueueBytes;
    this.set(timeoutMs);
    this.isForReading = true;
  }

  /** Something waits for the client, which has to read on. */
  watch(timeoutMs: number): void {
    if (!this.isForReading) this.setForReading(timeoutMs);
  }

  /** Bytes were given to the socket. */
  wrote(bytes: number, sendTimeoutMs: number): void {
    this.#writtenBytes += bytes;
    if (this.#socket.pendingBytes > 0 && this.deadlineMs === Number.POSITIVE_INFINITY) {
      this.setForReading(sendTimeoutMs);
    }
  }

  /**
   * The deadline for reading is over. Has the client read anything of what waits for it in all that time, there is a
   * new one; else it has stalled, and this is false.
   */
  goesOn(timeoutMs: number): boolean {
    const { pendingBytes, writeQueueBytes } = this.#socket;
    const hasRead =
      writeQueueBytes !== this.#queuedBytes ||
      this.#writtenBytes - pendingBytes > this.#flushedBytes;
    if (hasRead) this.setForReading(timeoutMs);
    return hasRead;
  }

  end(): void {
    this.#deadlines.remove(this);
  }
}
