/** The admin listener: plain HTTP in the main thread, apart from the data plane. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { describeSystemError } from "../../config/problems/system-error.ts";
import type { AdminConfig } from "../../config/schema/admin.ts";
import { adminConnectionsMax, adminHeadBytesMax, adminRequestTimeoutMs } from "../../limits.ts";
import { ServeError } from "../serve-error.ts";

export interface AdminResponse {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

/** @param path of the URL, without its query */
export type AdminRoutes = (method: string, path: string) => Promise<AdminResponse>;

interface BoundServer {
  readonly server: Server;
  readonly key: string;
}

export class AdminServer {
  readonly #routes: AdminRoutes;
  readonly #log: (message: string) => void;
  #listening: BoundServer | undefined;
  /** That of a configuration that is not applied yet. */
  #next: BoundServer | undefined;

  constructor(routes: AdminRoutes, log: (message: string) => void) {
    this.#routes = routes;
    this.#log = log;
  }

  /** Binds the address of this configuration, besides the current one. Rejects with a ServeError. */
  async open(config: AdminConfig | undefined): Promise<void> {
    this.#closeOne(this.#next);
    this.#next = undefined;
    if (config === undefined || keyOf(config) === this.#listening?.key) return;
    this.#next = await this.#listen(config);
  }

  /** Applies a configuration that was opened: closes the address before. */
  use(config: AdminConfig | undefined): void {
    if (config !== undefined && keyOf(config) === this.#listening?.key) return;
    this.#closeOne(this.#listening);
    this.#listening = this.#next;
    this.#next = undefined;
  }

  close(): void {
    this.#closeOne(this.#next);
    this.#closeOne(this.#listening);
  }

  async #listen(config: AdminConfig): Promise<BoundServer> {
    const { host, port } = config;
    const server = createServer(
      {
        maxHeaderSize: adminHeadBytesMax,
        requestTimeout: adminRequestTimeoutMs,
        headersTimeout: adminRequestTimeoutMs,
        keepAliveTimeout: adminRequestTimeoutMs,
      },
      (request, response) => {
        request.resume();
        const path = (request.url ?? "/").replace(/\?.*$/s, "");
        void this.#respond(request.method ?? "", path).then(({ status, contentType, body }) => {
          const isHead = request.method === "HEAD";
          response.writeHead(status, {
            "content-type": contentType,
            "content-length": Buffer.byteLength(body),
            "cache-control": "no-store",
            ...(status === 405 && { allow: "GET, HEAD" }),
          });
          response.end(isHead ? undefined : body);
        });
      },
    );
    server.maxConnections = adminConnectionsMax;
    await new Promise<void>((resolve, reject) => {
      server.once("error", (error: NodeJS.ErrnoException) => {
        const why = describeSystemError(error);
        const message = `bind() to ${host}:${port} for admin failed (${why})`;
        reject(new ServeError(message, error.code ?? "GP_ADMIN"));
      });
      server.listen(port, host, resolve);
    });
    // An error of one connection must not end the proxy.
    server.on("error", () => {});
    const bound = server.address() as AddressInfo;
    this.#log(`the admin pages are at http://${host}:${bound.port}/admin/`);
    return { server, key: keyOf(config) };
  }

  /** Never rejects: an error of an admin page must not end the proxy. */
  async #respond(method: string, path: string): Promise<AdminResponse> {
    try {
      return await this.#routes(method, path);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      const body = `${JSON.stringify({ error: { message, code: "internal" } })}\n`;
      return { status: 500, contentType: "application/json", body };
    }
  }

  #closeOne(listening: BoundServer | undefined): void {
    listening?.server.close();
    listening?.server.closeAllConnections();
  }
}

function keyOf({ host, port }: AdminConfig): string {
  return `${host} ${port}`;
}
