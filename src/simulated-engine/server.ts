/**
 * Starts an engine: its listener, its connections, and the faults that concern them.
 *
 * Imports in this folder point down this list and never up: `server.ts`, `routes/`, `core/`, `options.ts`, then
 * `endpoints/` and `dialects/` (neither imports the other), `request/`, `kv/`, `model/`, `http/`, `faults/`, and the
 * values `clock.ts`, `limits.ts` and `roles.ts`.
 */

import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { EngineCore } from "./core/core.ts";
import type { EngineState } from "./core/state.ts";
import { isInferencePath } from "./endpoints/registry.ts";
import { checkFault, type Fault, type FaultInput, parseFault } from "./faults/fault.ts";
import { type BodyOutcome, readBody } from "./http/body-reader.ts";
import { httpOrigin } from "./http/peers.ts";
import { Reply } from "./http/reply.ts";
import { RequestError } from "./http/request-error.ts";
import { type RecordedRequest, RequestLog } from "./http/request-log.ts";
import { SidePort } from "./http/side-port.ts";
import { headBytesMax } from "./limits.ts";
import { type EngineOptions, type ResolvedOptions, resolveOptions } from "./options.ts";
import { respondByFault } from "./routes/fault-response.ts";
import type { IncomingRequest } from "./routes/handler.ts";
import { route } from "./routes/routes.ts";

/** How soon a port that is in use is tried again. */
const listenAgainMs = 100;

/** An engine that listens. */
export interface RunningEngine {
  /** `http://host:port`, without a slash at the end. */
  readonly url: string;
  readonly host: string;
  readonly port: number;
  /** The port that other engines call; 0 when its dialect has none. */
  readonly sidePort: number;
  /** New with each start, as in real engines: KV of an earlier process cannot be fetched. */
  readonly engineId: string;
  state(): EngineState;
  /** The last 64 requests as they arrived, without those under `/debug`. */
  requests(): RecordedRequest[];
  /** Takes a fault or its SPEC (`kind[:key=value,…]`). Throws an Error that says what is wrong with it. */
  setFault(fault: FaultInput | string): void;
  clearFaults(): void;
  /** Drops all connections and stops listening. */
  close(): Promise<void>;
}

/** Resolves when the engine listens. Rejects when it cannot, or with a RangeError that names the option. */
export async function startEngine(options: EngineOptions): Promise<RunningEngine> {
  const engine = new EngineServer(new EngineCore(resolveOptions(options)));
  await engine.listen();
  return engine;
}

function createEngineServer(options: ResolvedOptions): Server {
  const { tlsCertificate, tlsKey, tlsClientCa } = options;
  if (tlsCertificate === "") return createServer({ maxHeaderSize: headBytesMax });
  const ca = tlsClientCa !== "" && { ca: readFileSync(tlsClientCa), requestCert: true };
  return createTlsServer({
    maxHeaderSize: headBytesMax,
    cert: readFileSync(tlsCertificate),
    key: readFileSync(tlsKey),
    ...ca,
    rejectUnauthorized: tlsClientCa !== "",
  });
}

class EngineServer implements RunningEngine {
  readonly host: string;
  readonly #core: EngineCore;
  readonly #server: Server;
  readonly #sidePort: SidePort | undefined;
  readonly #log = new RequestLog();
  #closed = false;

  constructor(core: EngineCore) {
    this.#core = core;
    this.host = core.address.host;
    const { sideRoutes } = core.dialect;
    if (sideRoutes !== undefined)
      this.#sidePort = new SidePort(sideRoutes, core.faults, core.options.clock);
    this.#server = createEngineServer(core.options);
    // node:http would close idle connections a second late; Connections does it on time.
    this.#server.keepAliveTimeout = 0;
    this.#server.headersTimeout = 0;
    this.#server.requestTimeout = 0;
    this.#server.on("connection", (socket) => this.#onConnection(socket));
    this.#server.on("clientError", (_error, socket) => rejectGarbage(socket as Socket));
    // The port may be in use when a refusal ends; then it is tried again until it is free.
    this.#server.on("error", () => {
      if (this.port !== 0) {
        this.#core.options.clock.after(listenAgainMs, () => this.#applyRefusal());
      }
    });
    this.#server.on("request", (request, response) => this.#onRequest(request, response));
  }

  get url(): string {
    const url = httpOrigin(this.host, this.port);
    return this.#core.options.tlsCertificate === "" ? url : url.replace("http:", "https:");
  }

  get port(): number {
    return this.#core.address.port;
  }

  get sidePort(): number {
    return this.#core.address.sidePort;
  }

  get engineId(): string {
    return this.#core.engineId;
  }

  async listen(): Promise<void> {
    const { address, dialect, options } = this.#core;
    const { host, port, kvPort } = options;
    if (this.#sidePort !== undefined) address.sidePort = await this.#sidePort.listen(kvPort, host);
    try {
      await this.#publish();
      await listenOn(this.#server, port, host);
    } catch (error) {
      this.#sidePort?.close();
      this.#core.publisher?.close();
      throw error;
    }
    address.port = (this.#server.address() as AddressInfo).port;
    dialect.start?.();
    this.#applyRefusal();
  }

  state(): EngineState {
    return this.#core.state();
  }

  requests(): RecordedRequest[] {
    return this.#log.list();
  }

  setFault(fault: FaultInput | string): void {
    const checked: Fault = typeof fault === "string" ? parseFault(fault) : checkFault(fault);
    this.#core.faults.set(checked, this.#core.options.clock.now());
    this.#applyRefusal();
  }

  clearFaults(): void {
    this.#core.faults.clear();
    this.#applyRefusal();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const stopped = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#core.connections.closeAll();
    this.#core.close();
    this.#sidePort?.close();
    this.#core.publisher?.close();
    await stopped;
  }

  async #publish(): Promise<void> {
    const { host, kvEvents, kvEventsTo, kvReplay } = this.#core.options;
    if (kvEvents > 0) await this.#core.publisher?.listen(kvEvents, host);
    const [, subscriber = "", port] = /^\[?(.*?)\]?:(\d+)$/.exec(kvEventsTo) ?? [];
    if (port !== undefined) this.#core.publisher?.connect(Number(port), subscriber);
    if (kvReplay > 0) await this.#core.publisher?.listenForReplay(kvReplay, host);
  }

  #onConnection(socket: Socket): void {
    this.#core.connections.add(socket);
    const fault = this.#core.faults.takeForConnection(this.#core.options.clock.now());
    if (fault === undefined) return;
    if (fault.how === "fin") socket.destroy();
    else socket.resetAndDestroy();
  }

  #onRequest(request: IncomingMessage, response: ServerResponse): void {
    const [path = "/", query = ""] = (request.url ?? "/").split("?", 2);
    const { socket } = request;
    this.#core.connections.onRequest(socket, path);
    response.on("finish", () => this.#core.connections.onResponse(socket));
    readBody(request, (body) => this.#onBody(request, response, { path, query, body }));
  }

  #onBody(
    request: IncomingMessage,
    response: ServerResponse,
    { path, query, body }: { path: string; query: string; body: BodyOutcome },
  ): void {
    if (body === "aborted") {
      if (isInferencePath(path)) this.#core.counts.aborted.receiving++;
      return;
    }
    if (body === "too-large") {
      const error = new RequestError(413, "BadRequestError", "The request body is too large.");
      response.shouldKeepAlive = false;
      new Reply(response, undefined, this.#core.options.clock).send(error.status, error.body());
      return;
    }
    const method = request.method ?? "GET";
    if (!path.startsWith("/debug")) this.#log.add(method, path, request.rawHeaders, body);
    if (isInferencePath(path)) {
      this.#core.counts.countRequest(String(request.headers["x-request-id"] ?? ""));
    }
    const fault = this.#core.faults.takeForRequest(path);
    const reply = new Reply(response, fault, this.#core.options.clock);
    if (fault === undefined || !respondByFault(reply, fault, path)) {
      this.#route(request, response, { method, path, query, body, reply, fault });
    }
  }

  #route(
    request: IncomingMessage,
    response: ServerResponse,
    incoming: Omit<IncomingRequest, "headers" | "onDisconnect">,
  ): void {
    const { fault } = incoming;
    const context = {
      core: this.#core,
      log: this.#log,
      faultsChanged: () => this.#applyRefusal(),
    };
    const full = {
      ...incoming,
      headers: request.headers,
      onDisconnect: (run: () => void) => {
        if (response.closed || request.socket.destroyed) run();
        else response.on("close", run);
      },
    };
    // A delayed or stalled inference request counts as waiting in the engine; other paths have no such state.
    if (isInferencePath(incoming.path) || fault === undefined) route(context, full);
    else if (fault.kind === "slow") {
      this.#core.options.clock.after(fault.delayMs, () => route(context, full));
    } else if (fault.kind !== "stall" || fault.chunks !== undefined) route(context, full);
  }

  /** Stops or resumes listening as the faults say, and checks again when one of them ends. */
  #applyRefusal(): void {
    if (this.#closed) return;
    const { clock } = this.#core.options;
    const refuses = this.#core.faults.refuses(clock.now());
    const kinds = this.#core.faults.list(clock.now());
    if (refuses && this.#server.listening) this.#server.close();
    if (kinds.some(({ kind }) => kind === "refuse" || kind === "accept-then-close")) {
      this.#core.connections.closeIdle();
    }
    if (!refuses && !this.#server.listening && this.port !== 0) {
      this.#server.listen(this.port, this.#core.options.host);
    }
    for (const { kind, durationMs } of kinds) {
      if (kind === "refuse" && durationMs !== undefined) {
        clock.after(durationMs + 1, () => this.#applyRefusal());
      }
    }
  }
}

async function listenOn(server: Server, port: number, host: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

/** uvicorn's response to what is not HTTP. */
function rejectGarbage(socket: Socket): void {
  const text = "Invalid HTTP request received.";
  if (!socket.writable) return;
  socket.end(
    `HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\nconnection: close\r\n` +
      `content-length: ${text.length}\r\n\r\n${text}`,
  );
}
