/** The connections of one worker to one engine: those that idle are used again, the last used first. */
import type { Address } from "../../../pool/address.ts";
import type { Deadlines } from "../../../transport/deadlines.ts";
import type { Transport } from "../../../transport/socket.ts";
import type { ClientTls } from "../../../transport/tls/context.ts";
import type { ConnectionPool } from "./connection-owner.ts";
import { EngineConnection } from "./engine-connection.ts";

export interface LinkSettings {
  readonly connections: number;
  readonly idleMs: number;
  readonly requests: number;
}

export class EngineLink implements ConnectionPool<EngineConnection> {
  readonly address: Address;
  readonly deadlines: Deadlines;
  /** Of its engine's pool; undefined = connections are not encrypted. */
  readonly tls: ClientTls | undefined;
  readonly #transport: Transport;
  readonly #idle: EngineConnection[] = [];
  #settings: LinkSettings;
  #closed = false;

  constructor(
    address: Address,
    settings: LinkSettings,
    transport: Transport,
    deadlines: Deadlines,
    tls?: ClientTls,
  ) {
    this.address = address;
    this.tls = tls;
    this.deadlines = deadlines;
    this.#settings = settings;
    this.#transport = transport;
  }

  /** A reload may change the settings; connections that idle already keep their deadline. */
  configure(settings: LinkSettings): void {
    this.#settings = settings;
  }

  get idleMs(): number {
    return this.#settings.idleMs;
  }

  get idleCount(): number {
    return this.#idle.length;
  }

  /** @param fresh not a pooled connection: the last one was stale */
  acquire(fresh: boolean): EngineConnection {
    const pooled = fresh ? undefined : this.#idle.pop();
    return (
      pooled ??
      new EngineConnection(this, (handler) =>
        this.#transport.connect({ ...this.address, tls: this.tls }, handler),
      )
    );
  }

  mayKeep(connection: EngineConnection): boolean {
    return (
      !this.#closed &&
      this.#idle.length < this.#settings.connections &&
      connection.requests < this.#settings.requests
    );
  }

  keep(connection: EngineConnection): void {
    this.#idle.push(connection);
  }

  forget(connection: EngineConnection): void {
    const index = this.#idle.indexOf(connection);
    if (index >= 0) this.#idle.splice(index, 1);
  }

  /** No configuration names the engine any more: those in use close after their response. */
  close(): void {
    this.#closed = true;
    for (const connection of this.#idle.splice(0)) connection.close();
  }
}
