/** A ZeroMQ ROUTER socket over `node:net` that only receives: it implements what sending peers need. */
import { createServer, type Server, type Socket } from "node:net";
import { zmtpConnectionsMax, zmtpIdleTimeoutMs } from "../../limits.ts";
import { descriptorOf } from "../descriptor.ts";
import { greeting, ready, ZmtpError, ZmtpReader } from "./reader.ts";

/** Socket types that may connect to a ROUTER. */
const peers: ReadonlySet<string> = new Set(["DEALER", "REQ", "ROUTER"]);

export interface RouterDeps {
  /** Called with the parts of each message. */
  readonly message: (parts: readonly Buffer[]) => void;
  /** A peer was rejected; `why` is half a sentence. */
  readonly refused: (address: string, why: string) => void;
}

export class ZmtpRouter {
  readonly #deps: RouterDeps;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(deps: RouterDeps) {
    this.#deps = deps;
    this.#server = createServer((socket) => this.#accept(socket));
    this.#server.maxConnections = zmtpConnectionsMax;
  }

  /** Of the listening socket, for the process that takes it over. */
  get descriptor(): number | undefined {
    return descriptorOf(this.#server);
  }

  /**
   * Resolves to the port. Rejects with the system's error.
   * @param descriptor of a socket that listens there already
   */
  listen(host: string, port: number, descriptor?: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(descriptor === undefined ? { host, port } : { fd: descriptor }, () => {
        this.#server.off("error", reject);
        // After a later failure, such as a connection that could not be accepted, the peer tries again.
        this.#server.on("error", () => {});
        const address = this.#server.address();
        resolve(typeof address === "object" && address !== null ? address.port : port);
      });
    });
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #accept(socket: Socket): void {
    const reader = new ZmtpReader();
    let isReady = false;
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket));
    socket.on("error", () => {});
    socket.setTimeout(zmtpIdleTimeoutMs, () => socket.destroy());
    socket.write(greeting());
    socket.write(ready("ROUTER"));
    socket.on("data", (chunk: Buffer) => {
      try {
        reader.push(chunk);
        if (reader.peerType !== undefined && !isReady) {
          if (!peers.has(reader.peerType))
            throw new ZmtpError(`its socket is a ${reader.peerType.slice(0, 16)}`);
          isReady = true;
        }
      } catch (error) {
        if (!(error instanceof ZmtpError)) throw error;
        this.#deps.refused(socket.remoteAddress ?? "", error.message);
        socket.destroy();
        return;
      }
      for (const message of reader.messages.splice(0)) this.#deps.message(message);
    });
  }
}
