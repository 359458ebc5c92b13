// Node's own HTTP server on loopback, asked what it makes of some bytes.

import { createServer, type IncomingMessage, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { bytesOf } from "./messages.ts";

/** The first message that Node's parser took from a connection to its end, if it did. */
export type NodeReading = {
  readonly method: string;
  readonly url: string;
  readonly fields: [string, string][];
  readonly body: string;
};

function pairs(raw: readonly string[]): [string, string][] {
  return Array.from({ length: raw.length / 2 }, (_, i) => [raw[2 * i]!, raw[2 * i + 1]!]);
}

export class NodePeer {
  private readonly server: Server;
  private taken: NodeReading[] = [];

  constructor() {
    this.server = createServer((request, response) => {
      let body = "";
      request.setEncoding("latin1");
      request.on("data", (text: string) => {
        body += text;
      });
      request.on("error", () => undefined);
      request.on("end", () => {
        this.note(request, body);
        response.end();
      });
    });
    this.server.on("clientError", (_error, socket) => socket.destroy());
    this.server.on("connect", (_request, socket) => socket.destroy());
  }

  private note(request: IncomingMessage, body: string): void {
    const { method = "", url = "", rawHeaders } = request;
    this.taken.push({ method, url, fields: pairs(rawHeaders), body });
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.server.listen(0, "127.0.0.1", resolve));
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  /**
   * Sends the bytes on a connection of their own and closes its sending side, so that Node sees the end of what is
   * unfinished: the answer needs no time-out. One call at a time.
   */
  async read(text: string): Promise<NodeReading | undefined> {
    this.taken = [];
    const { port } = this.server.address() as AddressInfo;
    await new Promise<void>((resolve) => {
      const socket = connect({ port, host: "127.0.0.1" }, () => socket.end(bytesOf(text)));
      socket.on("error", () => undefined);
      socket.on("close", () => resolve());
      socket.resume();
    });
    return this.taken[0];
  }
}
