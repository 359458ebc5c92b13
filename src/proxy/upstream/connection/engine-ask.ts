/**
 * A request of the proxy's own to one engine, beside a client's request or on its behalf. The response is collected.
 */
import type { Engine } from "../../../pool/engine.ts";
import type { Pool } from "../../../pool/pool.ts";
import { writeHead } from "../../context/scratch.ts";
import { CollectedBody } from "../../response/body/collected-body.ts";
import type { Route } from "../../routing/route.ts";
import type { ForwardedRequest } from "../forwarded-request.ts";
import type { LegOwner } from "./connection-owner.ts";
import type { EngineConnection } from "./engine-connection.ts";
import type { EngineFailure } from "./engine-failure.ts";

export interface Asked {
  readonly request: ForwardedRequest;
  readonly route: Route;
  readonly pool: Pool;
  readonly engine: Engine;
  /** Path and query. */
  readonly uri: string;
  /** Of the request; an empty one for none. */
  readonly body: Buffer;
  /** To connect, and between two reads. */
  readonly timeoutMs: number;
  readonly responseBytesMax: number;
  /** It is over: `response` stays as it is. */
  ended(): void;
}

export class EngineAsk implements LegOwner<EngineConnection> {
  readonly #asked: Asked;
  readonly #body = new CollectedBody();
  #bytes = 0;
  #connection: EngineConnection | undefined;
  #isComplete = false;

  constructor(asked: Asked) {
    this.#asked = asked;
  }

  /** The body of a 200; undefined = there is none (yet). */
  get response(): Buffer | undefined {
    return this.#isComplete ? this.#body.bytes : undefined;
  }

  send(): void {
    this.#send(false);
  }

  cancel(): void {
    this.#connection?.cancel();
    this.#connection = undefined;
  }

  legConnected(): void {}

  legHead({ head }: EngineConnection): void {
    if (head.status !== 200) this.#giveUp();
  }

  legBody(connection: EngineConnection, chunk: Buffer, start: number, end: number): void {
    this.#bytes += end - start;
    const { request, responseBytesMax } = this.#asked;
    if (this.#bytes > responseBytesMax || !request.body.hold(end - start)) this.#giveUp();
    else this.#body.add(connection, chunk, start, end);
  }

  legEnded(): void {
    this.#connection = undefined;
    this.#isComplete = true;
    this.#asked.ended();
  }

  legFailed(_connection: EngineConnection, { stale }: EngineFailure): void {
    this.#connection = undefined;
    // A pooled connection that the engine had closed; a fresh one is not stale.
    if (stale) this.#send(true);
    else this.#asked.ended();
  }

  #giveUp(): void {
    this.cancel();
    this.#asked.ended();
  }

  #send(fresh: boolean): void {
    const { request, route, pool, engine, uri, body, timeoutMs } = this.#asked;
    const { context, worker } = request;
    const { address } = engine;
    context.proxyHost = pool.name;
    const host = address.host === undefined ? "localhost" : address.key;
    const lines = context.trace?.lines(context, undefined);
    const id = context.requestId;
    const { engineKey } = pool;
    const { length } = body;
    const head = route.heads.render(context, true, uri, host, id, length, lines, false, engineKey);
    const connection = worker.link(address, pool).acquire(fresh);
    this.#connection = connection;
    const out = worker.scratch.take(head.length, connection.connecting);
    writeHead(out, head);
    const timeouts = {
      connectTimeoutMs: timeoutMs,
      sendTimeoutMs: timeoutMs,
      readTimeoutMs: timeoutMs,
    };
    connection.send(out, head.length, context.method, this, timeouts);
    if (connection.pendingBytes > 0) worker.scratch.lost(out);
    if (body.length > 0) connection.sendMore(body);
  }
}
