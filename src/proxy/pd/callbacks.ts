/**
 * Call-backs of decode engines that ask for their prefill: under which URL each is expected, and how callers are
 * responded to.
 */
import { isLoopback } from "../../config/values/engine-url.ts";
import type { EngineInfo, IdGenerator, KvTransfer } from "../../dialects/dialect.ts";
import { callbackBytesMax, callbackCallersMax } from "../../limits.ts";

/** Where decode engines reach this worker. */
export interface CallbackAddress {
  /** As the configuration says; undefined = by where the decode engine is. */
  readonly host: string | undefined;
  /** This machine's, for engines on other machines. */
  readonly externalHost: string;
  readonly port: number;
}

/** The request that is called back. */
export interface CalledBack {
  /** All that the prefill needs is here. */
  decodeCalledBack(): void;
  /** What came is of no use, and decode waits for a prefill that cannot be made. */
  calledBackInvalidly(): void;
}

/** Has called, and waits for a response. */
export interface Caller {
  respondToCall(status: CallStatus): void;
}

/** 404: nobody waits for this call (any more). 502: the prefill has failed, or is not wanted any more. */
export type CallStatus = 200 | 400 | 404 | 413 | 502 | 503;

const pathPrefix = "/callback/";

/** All that are open in one worker: no more than requests in flight, each of which has one. */
export class Callbacks {
  readonly #ids: IdGenerator;
  readonly #open = new Map<string, AttemptCallback>();
  #address: CallbackAddress = { host: undefined, externalHost: "127.0.0.1", port: 0 };

  constructor(ids: IdGenerator) {
    this.#ids = ids;
  }

  get size(): number {
    return this.#open.size;
  }

  listensAt(address: CallbackAddress): void {
    this.#address = address;
  }

  /** Whether an engine may still call at this port. */
  isExpectedAt(port: number): boolean {
    for (const callback of this.#open.values()) if (callback.port === port) return true;
    return false;
  }

  /** For a path that nobody can guess. */
  open(transfer: KvTransfer, owner: CalledBack): AttemptCallback {
    const path = pathPrefix + this.#ids.secret();
    const callback = new AttemptCallback(path, transfer, owner, this);
    this.#open.set(path, callback);
    return callback;
  }

  find(path: string): AttemptCallback | undefined {
    return this.#open.get(path);
  }

  close(path: string): void {
    this.#open.delete(path);
  }

  /** The URL of a path, for an engine at this host. */
  url(path: string, engineHost: string): { readonly url: string; readonly port: number } {
    const { host, externalHost, port } = this.#address;
    // Engines on unix sockets have no host.
    const isLocal = engineHost === "" || isLoopback(engineHost);
    const chosen = host ?? (isLocal ? "127.0.0.1" : externalHost);
    return { url: `http://${chosen.includes(":") ? `[${chosen}]` : chosen}:${port}${path}`, port };
  }
}

/**
 * Of one attempt. An engine repeats a call whose connection broke: all calls get the same response, and there is one
 * prefill.
 */
export class AttemptCallback {
  /** In the URL that the engine was given; 0 = none yet. */
  port = 0;
  readonly #path: string;
  readonly #transfer: KvTransfer;
  readonly #owner: CalledBack;
  readonly #all: Callbacks;
  readonly #callers = new Set<Caller>();
  #status: CallStatus | undefined;
  #bytes = 0;

  constructor(path: string, transfer: KvTransfer, owner: CalledBack, all: Callbacks) {
    this.#path = path;
    this.#transfer = transfer;
    this.#owner = owner;
    this.#all = all;
  }

  /** Before decode is sent. */
  tell(decode: EngineInfo): void {
    const { url, port } = this.#all.url(this.#path, decode.host);
    this.port = port;
    this.#transfer.callbackUrl!(url);
  }

  call(body: Buffer, caller: Caller): void {
    if (this.#status !== undefined) {
      caller.respondToCall(this.#status);
      return;
    }
    this.#bytes += body.length;
    if (this.#bytes > callbackBytesMax || this.#callers.size >= callbackCallersMax) {
      this.refuse(413, caller);
      return;
    }
    const verdict = this.#transfer.calledBack!(body);
    if (verdict === "invalid") {
      this.refuse(400, caller);
      return;
    }
    // Before the prefill is asked for, since that may fail at once.
    this.#callers.add(caller);
    if (verdict === "complete") this.#owner.decodeCalledBack();
  }

  /**
   * A call that is not what decode's engine should say: there will be no prefill, which decode would wait for in vain.
   */
  refuse(status: CallStatus, caller: Caller): void {
    caller.respondToCall(status);
    if (this.#status === undefined) this.#owner.calledBackInvalidly();
  }

  /** The caller's connection is gone. */
  forget(caller: Caller): void {
    this.#callers.delete(caller);
  }

  response(ok: boolean): void {
    this.#status ??= ok ? 200 : 502;
    const callers = [...this.#callers];
    this.#callers.clear();
    for (const caller of callers) caller.respondToCall(this.#status);
  }

  /** The attempt is over; later calls find nobody. */
  end(): void {
    this.#all.close(this.#path);
    this.response(false);
  }
}
