/** A new connection at an address that has HTTP/2: its first bytes say which protocol it speaks. */
import type { Expirable } from "../../../transport/deadlines.ts";
import type { Socket, SocketHandler } from "../../../transport/socket.ts";
import type { VirtualServers } from "../../routing/virtual-servers.ts";
import { ClientConnection } from "../client-connection.ts";
import type { Client, ClientServices } from "../client-services.ts";
import { Http2Connection } from "./http2-connection.ts";

/** RFC 9113, section 3.4. */
const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");

export class FirstBytes implements SocketHandler, Client, Expirable {
  deadlineMs: number;
  deadlineIndex = -1;
  readonly #socket: Socket;
  readonly #worker: ClientServices;
  readonly #servers: () => VirtualServers;
  #bytes: Buffer = Buffer.alloc(0);

  constructor(socket: Socket, worker: ClientServices, servers: () => VirtualServers) {
    this.#socket = socket;
    this.#worker = worker;
    this.#servers = servers;
    socket.handler = this;
    this.deadlineMs = worker.deadlines.dueIn(servers().initial.config.headerTimeoutMs);
    worker.deadlines.add(this);
  }

  onConnect(): void {}

  onData(chunk: Buffer): void {
    const bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk]);
    const compared = Math.min(bytes.length, preface.length);
    this.#bytes = bytes;
    if (!bytes.subarray(0, compared).equals(preface.subarray(0, compared))) {
      this.#become(new ClientConnection(this.#socket, this.#worker, this.#servers));
    } else if (compared === preface.length) {
      this.#become(new Http2Connection(this.#socket, this.#worker, this.#servers));
    }
  }

  #become(client: Client): void {
    this.#worker.deadlines.remove(this);
    this.#worker.adopt(client);
    this.#worker.forget(this);
    this.#socket.handler.onData(this.#bytes);
  }

  onDrain(): void {}
  onEnd(): void {
    // As much of HTTP/1 as there is: its log knows of the request.
    if (this.#bytes.length === 0) this.stop();
    else {
      this.#become(new ClientConnection(this.#socket, this.#worker, this.#servers));
      this.#socket.handler.onEnd();
    }
  }
  onClose(): void {
    this.stop();
  }
  expired(): void {
    this.stop();
  }
  drain(): void {
    this.stop();
  }

  stop(): void {
    this.#worker.deadlines.remove(this);
    this.#socket.destroy();
    this.#worker.forget(this);
  }
}
