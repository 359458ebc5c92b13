/** Engines of the suite: record what they get, and send what a case says. */
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { freePorts } from "../../support/ports.ts";
import { type EngineRequest, type EngineScript, ok, type Script } from "./case.ts";
import { requestEnd } from "./messages.ts";
import { Events, Inbox, play } from "./play.ts";

export class ScriptedEngine {
  /** All requests of this run as they came, latin1, also those that broke off. */
  requests: string[] = [];
  readonly #script: EngineScript;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #served = new Set<Promise<void>>();
  #events = new Events();
  #count = 0;

  constructor(script: EngineScript = ok) {
    this.#script = script;
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
      const served = this.#serve(socket).finally(() => this.#served.delete(served));
      this.#served.add(served);
    });
  }

  /** @returns its port; nobody listens there if it refuses connections */
  async listen(): Promise<number> {
    if (this.#script === "refuses") return (await freePorts(1))[0]!;
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(0, "127.0.0.1", resolve);
    });
    return (this.#server.address() as AddressInfo).port;
  }

  /** Forgets what was before. */
  start(events: Events): void {
    this.requests = [];
    this.#count = 0;
    this.#events = events;
  }

  /** Ends its connections; resolves when all that came is recorded. */
  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(this.#served);
  }

  close(): void {
    this.#server.close();
    void this.stop();
  }

  async #serve(socket: Socket): Promise<void> {
    const inbox = new Inbox();
    socket.on("data", (bytes) => inbox.add(bytes));
    socket.on("end", () => inbox.close());
    socket.on("close", () => inbox.close());
    socket.on("error", () => {});
    const { requests } = this;
    while (!inbox.isClosed || inbox.text !== "") {
      const end = requestEnd(inbox.text);
      if (end >= 0) {
        // What comes after an upgrade stays in the inbox: the script waits for it, and it is recorded below.
        await play(this.#respond(inbox.take(end)), socket, inbox, this.#events);
      } else if (inbox.isClosed) break;
      else await inbox.changes();
    }
    if (inbox.text !== "") requests.push(`${inbox.text}\n[breaks off]`);
    socket.end();
  }

  #respond(bytes: string): Script {
    this.requests.push(bytes);
    if (typeof this.#script !== "function") return this.#script;
    return this.#script(parse(bytes, this.#count++));
  }
}

function parse(bytes: string, index: number): EngineRequest {
  const [method = "", target = ""] = bytes.split(" ", 2);
  const body = bytes.slice(bytes.indexOf("\r\n\r\n") + 4);
  return { method, target, body, bytes, index };
}
