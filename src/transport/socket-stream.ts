/** A socket as a stream of Node, for libraries that want one. */
import { Duplex } from "node:stream";
import type { Socket, SocketHandler } from "./socket.ts";

export class SocketStream extends Duplex implements SocketHandler {
  /** Told of bytes that come, before the reader is. */
  heard: (bytes: number) => void = () => {};
  readonly #socket: Socket;
  #written: (() => void) | undefined;
  #isEnded = false;

  constructor(socket: Socket) {
    super({ highWaterMark: highWaterBytes });
    this.#socket = socket;
    socket.handler = this;
  }

  onConnect(): void {}
  onData(chunk: Buffer): void {
    this.heard(chunk.length);
    if (!this.#isEnded && !this.destroyed && !this.push(chunk)) this.#socket.pause();
  }
  onDrain(): void {
    this.#free();
  }
  onEnd(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.push(null);
  }
  onClose(): void {
    this.destroy();
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.#socket.write(chunk);
    this.#settle(done);
  }

  override _writev(parts: readonly { readonly chunk: Buffer }[], done: () => void): void {
    const chunks = parts.map(({ chunk }) => chunk);
    const bytes = chunks.reduce((sum, { length }) => sum + length, 0);
    if (bytes <= highWaterBytes) this.#socket.write(Buffer.concat(chunks, bytes));
    else for (const chunk of chunks) this.#socket.write(chunk);
    this.#settle(done);
  }

  /** The writer goes on once the kernel has all. */
  #settle(done: () => void): void {
    if (this.#socket.pendingBytes === 0) done();
    else this.#written = done;
  }

  #free(): void {
    const written = this.#written;
    this.#written = undefined;
    written?.();
  }

  override _final(done: () => void): void {
    this.#socket.end();
    done();
  }

  override _destroy(_error: Error | null, done: () => void): void {
    this.#socket.destroy();
    this.#free();
    done();
  }
}

const highWaterBytes = 65_536;
