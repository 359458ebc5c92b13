/** The connections of a listener for operators: whoever holds one open without a request makes room for others. */

export interface AdminConnection {
  destroy(): unknown;
  once(event: "close", listener: () => void): unknown;
}

export interface ConnectionBounds {
  readonly max: number;
  /** For a request to come as a whole, from its connection's start or from the last response. */
  readonly requestTimeoutMs: number;
}

export class Connections {
  readonly #bounds: ConnectionBounds;
  /** Without a complete request: their deadlines, the oldest first. */
  readonly #waiting = new Map<AdminConnection, NodeJS.Timeout>();
  /** How many complete requests each is to respond to. */
  readonly #busy = new Map<AdminConnection, number>();

  constructor(bounds: ConnectionBounds) {
    this.#bounds = bounds;
  }

  /** False = all are at work: this one has been closed. */
  add(connection: AdminConnection): boolean {
    if (this.#waiting.size + this.#busy.size >= this.#bounds.max) {
      const [oldest] = this.#waiting.keys();
      (oldest ?? connection).destroy();
      if (oldest === undefined) return false;
      this.#forget(oldest);
    }
    connection.once("close", () => this.#forget(connection));
    this.#wait(connection);
    return true;
  }

  /** A request has come as a whole: its response may take as long as it likes. */
  begin(connection: AdminConnection): void {
    const requests = this.#busy.get(connection) ?? 0;
    if (requests === 0 && !this.#waiting.has(connection)) return;
    clearTimeout(this.#waiting.get(connection));
    this.#waiting.delete(connection);
    this.#busy.set(connection, requests + 1);
  }

  /** The response has ended. */
  end(connection: AdminConnection): void {
    const requests = this.#busy.get(connection);
    if (requests === undefined) return;
    this.#busy.set(connection, requests - 1);
    if (requests > 1) return;
    this.#busy.delete(connection);
    this.#wait(connection);
  }

  #wait(connection: AdminConnection): void {
    const close = () => void connection.destroy();
    this.#waiting.set(connection, setTimeout(close, this.#bounds.requestTimeoutMs).unref());
  }

  #forget(connection: AdminConnection): void {
    clearTimeout(this.#waiting.get(connection));
    this.#waiting.delete(connection);
    this.#busy.delete(connection);
  }
}
