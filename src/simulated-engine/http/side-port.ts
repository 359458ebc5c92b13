/** The engine's second port, which other engines call, like the ports of NIXL and of bootstrap servers. */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Clock } from "../clock.ts";
import type { FaultBook } from "../faults/fault-book.ts";
import { jsonOrNothing, type RouteTable, routeOf, runRoute } from "./route-table.ts";

const bodyBytesMax = 1_048_576;

export class SidePort {
  readonly #routes: RouteTable;
  readonly #faults: FaultBook;
  readonly #clock: Clock;
  readonly #server: Server;

  constructor(routes: RouteTable, faults: FaultBook, clock: Clock) {
    this.#routes = routes;
    this.#faults = faults;
    this.#clock = clock;
    this.#server = createServer((request, response) => this.#onRequest(request, response));
    // Engines keep their connections to each other; an idle one costs nothing.
    this.#server.keepAliveTimeout = 0;
  }

  /** Resolves to the port. */
  async listen(port: number, host: string): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(port, host, resolve);
    });
    return (this.#server.address() as AddressInfo).port;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #onRequest(request: IncomingMessage, response: ServerResponse): void {
    let text = "";
    request.setEncoding("utf8");
    request.on("data", (part: string) => {
      text += part;
      if (text.length > bodyBytesMax) request.destroy();
    });
    request.on("error", () => {});
    response.on("error", () => {});
    request.on("end", () => {
      const fault = this.#faults.takeForRequest(pathOf(request));
      if (fault?.kind === "stall") return;
      if (fault?.kind === "slow") {
        this.#clock.after(fault.delayMs, () => void this.#respond(request, text, response));
      } else if (fault?.kind === "status") {
        response.writeHead(fault.code).end();
      } else if (fault !== undefined) {
        request.socket.resetAndDestroy();
      } else {
        void this.#respond(request, text, response);
      }
    });
  }

  async #respond(request: IncomingMessage, text: string, response: ServerResponse): Promise<void> {
    const handler = routeOf(this.#routes, request.method ?? "GET", pathOf(request));
    const disconnect = new AbortController();
    response.on("close", () => disconnect.abort());
    const { status, json } =
      handler === undefined
        ? { status: 404, json: "{}" }
        : await runRoute(handler, {
            query: new URLSearchParams((request.url ?? "").split("?")[1]),
            headers: request.headers,
            body: jsonOrNothing(text),
            signal: disconnect.signal,
          });
    response.writeHead(status, {
      "content-type": "application/json",
      "content-length": Buffer.byteLength(json),
    });
    response.end(json);
  }
}

function pathOf(request: IncomingMessage): string {
  return (request.url ?? "/").split("?", 1)[0]!;
}
