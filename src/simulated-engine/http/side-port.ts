/** The engine's second port, as in NIXL and in bootstrap servers, where other engines speak to it. */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { FaultBook } from "../core/faults.ts";
import { jsonOrNothing, type RouteTable, responseRoute, routeOf } from "./route-table.ts";

const bodyBytesMax = 1_048_576;

export class SidePort {
  readonly #routes: RouteTable;
  readonly #faults: FaultBook;
  readonly #server: Server;

  constructor(routes: RouteTable, faults: FaultBook) {
    this.#routes = routes;
    this.#faults = faults;
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
        setTimeout(() => void this.#response(request, text, response), fault.delayMs);
      } else if (fault?.kind === "status") {
        response.writeHead(fault.code).end();
      } else if (fault !== undefined) {
        request.socket.resetAndDestroy();
      } else {
        void this.#response(request, text, response);
      }
    });
  }

  async #response(request: IncomingMessage, text: string, response: ServerResponse): Promise<void> {
    const handler = routeOf(this.#routes, request.method ?? "GET", pathOf(request));
    const gone = new AbortController();
    response.on("close", () => gone.abort());
    const { status, json } =
      handler === undefined
        ? { status: 404, json: "{}" }
        : await responseRoute(handler, {
            query: new URLSearchParams((request.url ?? "").split("?")[1]),
            headers: request.headers,
            body: jsonOrNothing(text),
            gone: gone.signal,
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
