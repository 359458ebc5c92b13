/** A client's socket once its bytes are no HTTP any more: they go to a tunnel. */
import type { Socket } from "../../transport/socket.ts";
import type { Tunnel, UpgradedClient } from "../request/upgrade.ts";
import type { HeadReader } from "./head-reader.ts";

export class UpgradedSocket implements UpgradedClient {
  readonly #socket: Socket;
  readonly #heads: HeadReader;
  #tunnel: Tunnel | undefined;

  /** @param heads which have what came behind the request */
  constructor(socket: Socket, heads: HeadReader) {
    this.#socket = socket;
    this.#heads = heads;
  }

  upgrade(to: Tunnel): void {
    this.#tunnel = to;
    const early = this.#heads.take();
    if (early.length > 0) to.pass(early);
    this.resume();
  }

  /** False = the connection speaks HTTP. */
  passes(chunk: Buffer): boolean {
    this.#tunnel?.pass(chunk);
    return this.#tunnel !== undefined;
  }

  /** The client sends no more. False = the connection speaks HTTP. */
  ends(): boolean {
    this.#tunnel?.end();
    return this.#tunnel !== undefined;
  }

  /** What still comes has nowhere to go. */
  close(): void {
    this.#tunnel = undefined;
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }
}
