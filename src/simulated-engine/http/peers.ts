/** Calls from an engine to another, or back to the proxy. */

import { Agent, type IncomingMessage, request } from "node:http";
import type { Clock } from "../clock.ts";
import { peerTimeoutMs } from "../limits.ts";

export interface PeerResponse {
  readonly status: number;
  readonly text: string;
}

export interface CallOptions {
  /** JSON goes out as `POST`; without it, the call is a `GET`. */
  readonly body?: object;
  readonly headers?: Readonly<Record<string, string>>;
  /** Until the whole response has arrived. */
  readonly timeoutMs?: number;
  /** Ends the call, and with it the connection. */
  readonly signal?: AbortSignal;
}

const responseBytesMax = 65_536;

export class PeerClient {
  readonly #agent = new Agent({ keepAlive: true, maxFreeSockets: 16 });
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Resolves to undefined when no whole response arrives in time. Never rejects. */
  call(url: string, options: CallOptions = {}): Promise<PeerResponse | undefined> {
    return new Promise((resolve) => this.#call(url, options, true, resolve));
  }

  close(): void {
    this.#agent.destroy();
  }

  #call(
    url: string,
    options: CallOptions,
    mayRetry: boolean,
    done: (response: PeerResponse | undefined) => void,
  ): void {
    if (options.signal?.aborted) {
      done(undefined);
      return;
    }
    const json = options.body === undefined ? undefined : JSON.stringify(options.body);
    const bodyHeaders =
      json === undefined
        ? {}
        : { "content-type": "application/json", "content-length": Buffer.byteLength(json) };
    const outgoing = request(url, {
      agent: this.#agent,
      method: json === undefined ? "GET" : "POST",
      headers: { ...bodyHeaders, ...options.headers },
    });
    let settled = false;
    const settle = (response: PeerResponse | undefined, again = false): void => {
      if (settled) return;
      settled = true;
      cancelTimeout();
      options.signal?.removeEventListener("abort", giveUp);
      if (again) this.#call(url, options, false, done);
      else done(response);
    };
    const giveUp = (): void => {
      settle(undefined);
      outgoing.destroy();
    };
    const cancelTimeout = this.#clock.after(options.timeoutMs ?? peerTimeoutMs, giveUp);
    options.signal?.addEventListener("abort", giveUp);
    outgoing.on("response", (incoming) => readResponse(incoming, settle));
    // A pooled connection may have been closed at the moment it was used; that says nothing about the other engine.
    outgoing.on("error", () => settle(undefined, mayRetry && outgoing.reusedSocket));
    outgoing.end(json);
  }
}

function readResponse(
  incoming: IncomingMessage,
  done: (response: PeerResponse | undefined) => void,
): void {
  let text = "";
  incoming.setEncoding("utf8");
  incoming.on("data", (part: string) => {
    text += part;
    if (text.length > responseBytesMax) incoming.destroy();
  });
  incoming.on("end", () => done({ status: incoming.statusCode ?? 0, text }));
  incoming.on("error", () => done(undefined));
  incoming.on("close", () => done(undefined));
}

/** `http://host:port`, also for an IPv6 host. */
export function httpOrigin(host: string, port: number): string {
  return `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
}
