/**
 * Requests that ask for another protocol on their connection (RFC 9110, section 7.8), such as WebSocket: after the
 * engine's 101 the bytes of both sides pass as they come.
 */
import { relayPendingBytesMax } from "../../limits.ts";
import type { Outcome } from "../context/outcomes.ts";
import { refused } from "../context/refused.ts";
import type { RequestContext } from "../context/request-context.ts";
import type { Route } from "../routing/route.ts";
import type { EngineConnection } from "../upstream/connection/engine-connection.ts";

/** The client's side of a connection that has another protocol. */
export interface UpgradedClient {
  /** From now on what the client sends goes there, and first what has come already. */
  upgrade(to: Tunnel): void;
  /** No more of the client is read until `resume`. */
  pause(): void;
  resume(): void;
}

/** What the client sends, on its way to its engine. The other way is that of a response without a length. */
export class Tunnel {
  readonly #client: UpgradedClient;
  readonly #connection: EngineConnection;
  #isPaused = false;

  constructor(client: UpgradedClient, connection: EngineConnection) {
    this.#client = client;
    this.#connection = connection;
    connection.onDrained = () => this.#drained();
    client.upgrade(this);
  }

  pass(chunk: Buffer): void {
    this.#connection.passOn(chunk);
    if (this.#isPaused || this.#connection.pendingBytes <= relayPendingBytesMax) return;
    this.#isPaused = true;
    this.#client.pause();
  }

  /** The client sends no more: so it is said to the engine, which may say its last words. */
  end(): void {
    this.#connection.endRequest();
  }

  #drained(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#client.resume();
  }
}

/**
 * Notes which protocols the client asks for, where the route and the connection let it.
 * @returns why the request cannot be served; undefined = it can
 */
export function chooseProtocol(
  context: RequestContext,
  route: Route,
  { upgradable }: { readonly upgradable: UpgradedClient | undefined },
): Outcome | undefined {
  const { config, prefills } = route;
  if (!(config.upgrade || prefills)) return undefined;
  const { head, body } = context;
  const wanted = head.fields.get("upgrade") ?? "";
  if (wanted === "" || head.minor === 0) return undefined;
  // It has no prompt that could be prefilled elsewhere.
  if (prefills) return /^websocket$/i.test(wanted) ? notWithPrefill : undefined;
  const asks = /(?:^|,)\s*upgrade\s*(?:,|$)/i.test(head.fields.get("connection") ?? "");
  if (asks && body.length === 0 && upgradable !== undefined) context.upgrade = wanted;
  return undefined;
}

const notWithPrefill = refused(
  501,
  "GP_UPGRADE_NOT_IMPLEMENTED",
  "This route splits prefill and decode, and has no WebSockets; use a route without a prefill.",
);
