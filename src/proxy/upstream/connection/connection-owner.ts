/** Whom a connection to an engine belongs to: the sender of the request under way, and the pool of idle ones. */
import type { Deadlines } from "../../../transport/deadlines.ts";
import type { EngineFailure } from "./engine-failure.ts";

/** The sender of the request under way. It hears nothing more after `legEnded`, `legFailed` or a cancel. */
export interface LegOwner<Connection> {
  /** The connection is up. Not called for a pooled one. */
  legConnected(connection: Connection): void;
  /** `connection.head` is the response's final head; 1xx are skipped. */
  legHead(connection: Connection): void;
  /**
   * Bytes of the body, `chunk[start, end)`, as they were framed: when `head.framing` is `chunked`, `connection.reader`
   * has the spans of data and the runs that may be sent on as they are.
   */
  legBody(connection: Connection, chunk: Buffer, start: number, end: number): void;
  /** The whole response is here. `connection` may serve another request already. */
  legEnded(connection: Connection): void;
  /** If its time is over, the connection is still open: the owner may hand it to another one (`hangUp`). */
  legFailed(connection: Connection, failure: EngineFailure): void;
}

/** The connections to one engine. */
export interface ConnectionPool<Connection> {
  readonly deadlines: Deadlines;
  readonly idleMs: number;
  /** Whether the connection may serve another request. */
  mayKeep(connection: Connection): boolean;
  keep(connection: Connection): void;
  forget(connection: Connection): void;
}
