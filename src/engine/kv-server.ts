/** The prefill engine's side channel, on a port of its own as in NIXL, where decode engines fetch and release KV. */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { z } from "zod";
import type { FaultBook } from "./faults.ts";
import type { KvStore } from "./kv-store.ts";
import { kvBytesPerToken } from "./options.ts";

const bodyBytesMax = 16_384;

const fetchSchema = z.object({
  engineId: z.string(),
  requestId: z.string(),
  promptHash: z.string(),
  fingerprint: z.string(),
});
const releaseSchema = z.object({ requestId: z.string() });

export class KvServer {
  readonly #store: KvStore;
  readonly #faults: FaultBook;
  readonly #engineId: string;
  readonly #server: Server;

  constructor(store: KvStore, faults: FaultBook, engineId: string) {
    this.#store = store;
    this.#faults = faults;
    this.#engineId = engineId;
    this.#server = createServer((request, response) => this.#onRequest(request, response));
    // Decode engines keep their connections; an idle one costs nothing.
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
    const path = request.url ?? "";
    let text = "";
    request.setEncoding("utf8");
    request.on("data", (part: string) => {
      text += part;
      if (text.length > bodyBytesMax) request.destroy();
    });
    request.on("error", () => {});
    request.on("end", () => {
      const fault = this.#faults.takeForRequest(path);
      if (fault?.kind === "stall") return;
      if (fault?.kind === "slow") {
        setTimeout(() => this.#answer(path, text, response), fault.delayMs);
      } else if (fault?.kind === "status") {
        response.writeHead(fault.code).end();
      } else if (fault !== undefined) {
        request.socket.resetAndDestroy();
      } else {
        this.#answer(path, text, response);
      }
    });
  }

  #answer(path: string, text: string, response: ServerResponse): void {
    let body: unknown;
    try {
      body = JSON.parse(text);
    } catch {
      body = undefined;
    }
    const [status, json] =
      path === "/kv/fetch"
        ? this.#fetch(body)
        : path === "/kv/release"
          ? this.#release(body)
          : [404, "{}"];
    response.writeHead(status, {
      "content-type": "application/json",
      "content-length": Buffer.byteLength(json),
    });
    response.end(json);
  }

  #fetch(body: unknown): [number, string] {
    const wanted = fetchSchema.safeParse(body);
    if (!wanted.success) return [400, "{}"];
    const { engineId, requestId, promptHash, fingerprint } = wanted.data;
    const kv = this.#store.take(
      engineId === this.#engineId ? requestId : "",
      promptHash,
      fingerprint,
    );
    if (typeof kv === "string") return [409, JSON.stringify({ reason: kv })];
    return [200, JSON.stringify({ tokens: kv.tokens, bytes: kv.tokens * kvBytesPerToken })];
  }

  #release(body: unknown): [number, string] {
    const wanted = releaseSchema.safeParse(body);
    if (!wanted.success) return [400, "{}"];
    return [200, JSON.stringify({ released: this.#store.release(wanted.data.requestId) })];
  }
}
