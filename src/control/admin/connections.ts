/**
 * The connections of a listener for operators: whoever holds one open without a request, or without reading the
 * response, makes room for others.
 */

export interface AdminConnection {
  destroy(): unknown;
  once(event: "close", listener: () => void): unknown;
}

export interface ConnectionBounds {
  readonly max: number;
  /** For a request to come as a whole, from its connection's start or from the last response. */
  readonly requestTimeoutMs: number;
  /** Requests of one connection at a time. */
  readonly pipelinedMax: number;
  /** For a client to take one piece of a response. */
  readonly sendTimeoutMs: number;
}

/** What a connection is at. */
interface Work {
  /** Requests that have come, or begun to, and have no response yet. */
  arrived: number;
  /** Of those, complete ones. */
  requests: number;
  /** Responses of which a piece waits for the client to read. */
  unread: number;
}

export class Connections {
  readonly #bounds: ConnectionBounds;
  readonly #work = new Map<AdminConnection, Work>();
  /** Of those that wait for their client: without a complete request, or with a piece unread. The oldest first. */
  readonly #deadlines = new Map<AdminConnection, NodeJS.Timeout>();

  constructor(bounds: ConnectionBounds) {
    this.#bounds = bounds;
  }

  /** False = all are at work: this one has been closed. */
  add(connection: AdminConnection): boolean {
    if (this.#work.size >= this.#bounds.max) {
      const waiting = [...this.#deadlines.keys()];
      const oldest = waiting.find((one) => this.#work.get(one)?.requests === 0) ?? waiting[0];
      (oldest ?? connection).destroy();
      if (oldest === undefined) return false;
      this.#forget(oldest);
    }
    connection.once("close", () => this.#forget(connection));
    const work = { arrived: 0, requests: 0, unread: 0 };
    this.#work.set(connection, work);
    this.#limit(connection, work);
    return true;
  }

  /** The head of a request has come. False = the connection has too many: it has been closed. */
  arrive(connection: AdminConnection): boolean {
    const work = this.#work.get(connection);
    if (work === undefined) return false;
    work.arrived += 1;
    if (work.arrived <= this.#bounds.pipelinedMax) return true;
    connection.destroy();
    return false;
  }

  /** The response to it has ended, whether or not the request was complete. */
  leave(connection: AdminConnection): void {
    const work = this.#work.get(connection);
    if (work !== undefined) work.arrived -= 1;
  }

  /** A request has come as a whole: what it asks for may take as long as it likes. */
  begin(connection: AdminConnection): void {
    const work = this.#work.get(connection);
    if (work === undefined) return;
    work.requests += 1;
    if (work.requests === 1) this.#limit(connection, work);
  }

  /** A piece of a response waits for the client to read. */
  stalled(connection: AdminConnection): void {
    const work = this.#work.get(connection);
    if (work === undefined) return;
    work.unread += 1;
    if (work.unread === 1) this.#limit(connection, work);
  }

  /** The client has taken it. */
  moved(connection: AdminConnection): void {
    const work = this.#work.get(connection);
    if (work === undefined) return;
    work.unread -= 1;
    this.#limit(connection, work);
  }

  /** The response to a complete request has ended. */
  end(connection: AdminConnection): void {
    const work = this.#work.get(connection);
    if (work === undefined) return;
    work.requests -= 1;
    if (work.requests === 0) this.#limit(connection, work);
  }

  /** Gives it a deadline from now on if it waits for its client. */
  #limit(connection: AdminConnection, { requests, unread }: Work): void {
    clearTimeout(this.#deadlines.get(connection));
    this.#deadlines.delete(connection);
    if (requests > 0 && unread === 0) return;
    const { requestTimeoutMs, sendTimeoutMs } = this.#bounds;
    const close = () => void connection.destroy();
    const timer = setTimeout(close, requests === 0 ? requestTimeoutMs : sendTimeoutMs);
    this.#deadlines.set(connection, timer.unref());
  }

  #forget(connection: AdminConnection): void {
    clearTimeout(this.#deadlines.get(connection));
    this.#deadlines.delete(connection);
    this.#work.delete(connection);
  }
}
