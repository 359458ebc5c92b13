/** A listener for operators, for admin pages or metrics: plain HTTP in the main thread, apart from the data plane. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import {
  type AddressInfo,
  createServer as createListener,
  type Server as Listener,
  type Socket,
} from "node:net";
import type { SecureContext } from "node:tls";
import { describeSystemError } from "../../config/problems/system-error.ts";
import type { OperatorListener } from "../../config/schema/operators.ts";
import type { BoundAddress } from "../../proxy/worker/messages.ts";
import { descriptorOf } from "../../transport/descriptor.ts";
import { tlsLibrary } from "../../transport/tls/context.ts";
import { operatorContext } from "../certificates.ts";
import {
  adminBodyBytesMax,
  adminCloseDelayMs,
  adminConnectionsMax,
  adminHeadBytesMax,
  adminPipelinedMax,
  adminRequestTimeoutMs,
  adminSendTimeoutMs,
} from "../limits.ts";
import { ServeError } from "../serve-error.ts";
import { type AdminAccess, type ListenerName, readAccess } from "./access.ts";
import { Connections } from "./connections.ts";
import { Outgoing, type OutgoingEvents } from "./outgoing.ts";
import { type AdminResponse, type AdminStream, adminProblem } from "./response.ts";

export interface AdminRequest {
  readonly method: string;
  /** Of the URL. */
  readonly path: string;
  readonly body: Buffer;
  /** It has shown the right to change something. */
  readonly mayChange: boolean;
  readonly query: URLSearchParams;
}

export interface AdminRoutes {
  /** Whether what this path names is for everybody who reaches the listener, since it says nothing of this proxy. */
  isOpen(path: string): boolean;
  respond(request: AdminRequest): Promise<AdminResponse>;
}

interface BoundServer {
  readonly http: Server;
  /** Hands its connections to `http`, which on Bun can listen only on a socket of its own. */
  readonly listener: Listener;
  readonly key: string;
}

/** The listening socket of an address, for the process that takes over. */
export interface AdminSocket {
  readonly key: string;
  readonly descriptor: number;
}

/** What the log says of each. */
const subjects: Readonly<Record<ListenerName, { readonly are: string; readonly page: string }>> = {
  admin: { are: "the admin pages are", page: "/admin/" },
  metrics: { are: "metrics are", page: "/metrics" },
};

export class AdminServer {
  readonly #name: ListenerName;
  readonly #routes: AdminRoutes;
  readonly #log: (message: string) => void;
  #listening: BoundServer | undefined;
  /** Those of a configuration that is not applied yet. */
  #next: BoundServer | undefined;
  #nextAccess: AdminAccess | undefined;
  #access: AdminAccess | undefined;
  /** By which new connections are encrypted; undefined = they are not. */
  #context: SecureContext | undefined;
  #nextContext: SecureContext | undefined;

  #inherited: AdminSocket | undefined;

  /** @param inherited of the process before */
  constructor(
    name: ListenerName,
    routes: AdminRoutes,
    log: (message: string) => void,
    inherited?: AdminSocket,
  ) {
    this.#name = name;
    this.#routes = routes;
    this.#log = log;
    this.#inherited = inherited;
  }

  /** For the process that takes over. */
  get socket(): AdminSocket | undefined {
    const descriptor = this.#listening && descriptorOf(this.#listening.listener);
    return descriptor === undefined ? undefined : { key: this.#listening!.key, descriptor };
  }

  /** Where it listens; undefined = it does not. */
  get address(): BoundAddress | undefined {
    const bound = this.#listening?.listener.address() as AddressInfo | null | undefined;
    return bound ? { host: bound.address, port: bound.port } : undefined;
  }

  /** Binds the address of this configuration, besides the current one. Rejects with a ServeError. */
  async open(config: OperatorListener | undefined): Promise<void> {
    this.#closeOne(this.#next);
    this.#next = undefined;
    this.#nextAccess = config && readAccess(config, this.#name);
    this.#nextContext = config?.tls && operatorContext(config.tls);
    if (config === undefined || adminKey(config) === this.#listening?.key) return;
    this.#next = await this.#listen(config);
  }

  /** Applies a configuration that was opened: closes the address before. */
  use(config: OperatorListener | undefined): void {
    this.#access = this.#nextAccess;
    this.#context = this.#nextContext;
    if (config !== undefined && adminKey(config) === this.#listening?.key) return;
    // A reload that is asked for here is responded to before its connection ends.
    this.#closeOne(this.#listening, adminCloseDelayMs);
    this.#listening = this.#next;
    this.#next = undefined;
  }

  close(): void {
    this.#closeOne(this.#next);
    this.#closeOne(this.#listening);
    this.#next = undefined;
    this.#listening = undefined;
  }

  async #listen(config: OperatorListener): Promise<BoundServer> {
    const { host, port } = config;
    const key = adminKey(config);
    const http = createServer(
      {
        maxHeaderSize: adminHeadBytesMax,
        keepAliveTimeout: adminRequestTimeoutMs,
      },
      (request, response) => {
        if (!connections.arrive(request.socket)) return;
        response.once("close", () => connections.leave(request.socket));
        request.once("end", () => {
          if (response.writableFinished) return;
          connections.begin(request.socket);
          response.once("close", () => connections.end(request.socket));
        });
        void this.#serve(request, response, {
          stalled: () => connections.stalled(request.socket),
          moved: () => connections.moved(request.socket),
        });
      },
    );
    // Bun has no times for these connections, and Node looks at them only every 30 s.
    const connections = new Connections({
      max: adminConnectionsMax,
      requestTimeoutMs: adminRequestTimeoutMs,
      sendTimeoutMs: adminSendTimeoutMs,
      pipelinedMax: adminPipelinedMax,
    });
    const listener = createListener({ noDelay: true }, (raw) => {
      const socket = this.#encrypted(raw);
      if (connections.add(socket)) http.emit("connection", socket);
    });
    const inherited = this.#inherited?.key === key ? this.#inherited : undefined;
    this.#inherited = undefined;
    await new Promise<void>((resolve, reject) => {
      listener.once("error", (error: NodeJS.ErrnoException) => {
        const why = describeSystemError(error);
        const message = `bind() to ${host}:${port} for ${this.#name} failed (${why})`;
        reject(new ServeError(message, error.code ?? "GP_ADMIN"));
      });
      listener.listen(
        inherited === undefined ? { host, port } : { fd: inherited.descriptor },
        resolve,
      );
    });
    // An error of one connection must not end the proxy.
    listener.on("error", () => {});
    http.on("error", () => {});
    const bound = listener.address() as AddressInfo;
    const { are, page } = subjects[this.#name];
    const scheme = config.tls === undefined ? "http" : "https";
    this.#log(`${are} at ${scheme}://${host}:${bound.port}${page}`);
    return { http, listener, key };
  }

  #encrypted(raw: Socket): Socket {
    const secureContext = this.#context ?? this.#nextContext;
    if (secureContext === undefined) return raw;
    const socket = new (tlsLibrary().TLSSocket)(raw, { isServer: true, secureContext });
    // A handshake that fails ends its connection alone.
    raw.on("error", () => {});
    socket.on("error", () => socket.destroy());
    return socket;
  }

  async #serve(
    request: IncomingMessage,
    response: ServerResponse,
    events: OutgoingEvents,
  ): Promise<void> {
    const {
      status,
      contentType,
      body,
      allow = "GET, HEAD",
      headers,
    } = await this.#respond(request);
    response.writeHead(status, {
      "content-type": contentType,
      ...(typeof body === "string" && { "content-length": Buffer.byteLength(body) }),
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      ...(status === 405 && { allow }),
      ...(status === 401 && { "www-authenticate": "Bearer" }),
      ...headers,
    });
    const outgoing = new Outgoing(response, events);
    if (request.method === "HEAD") response.end();
    else if (typeof body !== "string") stream(response, outgoing, body);
    else {
      outgoing.write(body);
      outgoing.end();
    }
  }

  /** Never rejects: an error of an admin page must not end the proxy. */
  async #respond(request: IncomingMessage): Promise<AdminResponse> {
    const { method = "", url = "/", headers } = request;
    const { host, authorization } = headers;
    const text = (name: string) => headers[name] as string | undefined;
    const [fetchSite, fetchMode] = [text("sec-fetch-site"), text("sec-fetch-mode")];
    const [, path = "", query = ""] = /^([^?]*)\??(.*)$/s.exec(url) ?? [];
    // Between two configurations nobody may do anything.
    const access = this.#access;
    const isOpen = this.#routes.isOpen(path);
    const refusal = access?.refusal({ host, authorization, fetchSite, fetchMode, isOpen });
    if (refusal !== undefined || access === undefined) {
      request.resume();
      const { status, code, message } = refusal ?? starting;
      return adminProblem(status, code, message);
    }
    try {
      const body = await bodyOf(request);
      if (body === undefined) return adminProblem(413, "too_large", "the body is too large");
      // What is open was asked for without a token.
      const mayChange = access.mayChange && !isOpen;
      const asked = { method, path, body, mayChange, query: new URLSearchParams(query) };
      return await this.#routes.respond(asked);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      return adminProblem(500, "internal", message);
    }
  }

  #closeOne(listening: BoundServer | undefined, delayMs = 0): void {
    listening?.listener.close();
    listening?.http.close();
    const closeAll = () => listening?.http.closeAllConnections();
    if (delayMs === 0) closeAll();
    else setTimeout(closeAll, delayMs).unref();
  }
}

const starting = { status: 503, code: "starting", message: "the configuration is being applied" };

function stream(response: ServerResponse, outgoing: Outgoing, { open }: AdminStream): void {
  const closed = open({
    get pendingBytes() {
      return outgoing.pendingBytes;
    },
    write: (text) => outgoing.write(text),
    destroy: () => void response.destroy(),
  });
  response.once("close", closed);
}

/** Undefined = it is too large; the rest is dropped. */
async function bodyOf(request: IncomingMessage): Promise<Buffer | undefined> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes <= adminBodyBytesMax) parts.push(part);
  }
  return bytes <= adminBodyBytesMax ? Buffer.concat(parts) : undefined;
}

/** Names the address of an admin listener; undefined = there is none. */
export function adminKey<C extends OperatorListener | undefined>(
  config: C,
): C extends undefined ? undefined : string;
export function adminKey(config: OperatorListener | undefined): string | undefined {
  return config && `${config.host} ${config.port}`;
}
