/** Engines that each fail in one way, at ports of their own, and who got which request. */

import type { AddressInfo } from "node:net";
import { createServer, type Server, type Socket } from "node:net";
import { freePorts } from "./ports.ts";

const statuses = [500, 502, 503, 504, 429, 403, 404] as const;

/** What an engine does once it has the request; it never accepts one where it `refuses`. */
export const waysToFail = [
  "refuses",
  "resets",
  "closes",
  "hangs",
  "sends a bad header",
  "closes in its body",
  ...statuses.map((status) => `responds with ${status}` as const),
] as const;
export type WayToFail = (typeof waysToFail)[number];

export class FailingEngines {
  /** Which engines got the request of this path, in order. */
  readonly asked = new Map<string, string[]>();
  readonly #ports = new Map<string, number>();
  readonly #servers: Server[] = [];
  readonly #sockets = new Set<Socket>();

  /** Two for each way, and one that is well. */
  async start(): Promise<void> {
    for (const way of waysToFail) {
      for (const name of [`${way} 1`, `${way} 2`]) await this.#listen(name, way);
    }
    await this.#listen("well", undefined);
  }

  portOf(name: string): number {
    return this.#ports.get(name)!;
  }

  end(): void {
    for (const server of this.#servers) server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  async #listen(name: string, way: WayToFail | undefined): Promise<void> {
    if (way === "refuses") {
      this.#ports.set(name, (await freePorts(1))[0]!);
      return;
    }
    const server = createServer((socket) => {
      this.#sockets.add(socket);
      let text = "";
      socket.on("error", () => {});
      socket.on("close", () => this.#sockets.delete(socket));
      socket.on("data", (bytes) => {
        text += bytes.toString("latin1");
        const head = text.indexOf("\r\n\r\n");
        const length = Number(/^content-length: *(\d+)/im.exec(text)?.[1] ?? 0);
        if (head < 0 || text.length < head + 4 + length) return;
        const [, path = ""] = text.split(" ", 2);
        this.asked.set(path, [...(this.asked.get(path) ?? []), name]);
        text = "";
        act(socket, way);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", 1_000, resolve));
    this.#servers.push(server);
    this.#ports.set(name, (server.address() as AddressInfo).port);
  }
}

function act(socket: Socket, way: WayToFail | undefined): void {
  if (way === "hangs") return;
  if (way === "resets") socket.resetAndDestroy();
  else if (way === "closes") socket.end();
  else if (way === "closes in its body")
    socket.end("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
  else if (way === "sends a bad header") socket.end("HTTP/1.1 200 OK\r\nX-A: a\0b\r\n\r\n");
  else {
    const status = way === undefined ? 200 : Number(way.slice("responds with ".length));
    const body = "Connection: close\r\nContent-Length: 2\r\n\r\nok";
    socket.end(`HTTP/1.1 ${status} Said by the engine\r\n${body}`);
  }
}
