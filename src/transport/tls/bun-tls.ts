/** TLS over Bun's own sockets, with the behaviour of `node-tls.ts`. */
import type { PeerCertificate } from "node:tls";
import {
  BunSocket,
  type NativeHandlers,
  type NativeOwner,
  type NativeSocket,
} from "../bun-socket.ts";
import { unrecognizedName } from "./alerts.ts";
import { readClientHello } from "./client-hello.ts";
import type { ClientTls, ServerHandshake, ServerTls } from "./context.ts";
import { TlsError } from "./error.ts";
import type { TlsSession } from "./session.ts";
import { intermediates, isFault, peerOf } from "./verification.ts";

/** The part of Bun's API that is used here. */
export interface NativeTlsSocket extends NativeSocket {
  /** `false` or null = none was agreed on. */
  readonly alpnProtocol: string | false | null;
  getCipher(): { readonly name: string | null };
  getTLSVersion(): string;
  isSessionReused(): boolean;
  /** Null = there is none. */
  getPeerCertificate(abbreviated?: boolean): PeerCertificate | null | undefined;
  setMaxSendFragment(bytes: number): boolean;
  setSession(session: Buffer): void;
}
interface Upgradable extends NativeSocket {
  /** @returns the socket below and the encrypted one; undefined = it is closed */
  upgradeTLS(options: object): readonly [NativeSocket, NativeTlsSocket] | undefined;
}
export interface NativeTlsHandlers extends NativeHandlers {
  /** @param error why the handshake failed, or else why the peer's certificate is not trusted */
  handshake(socket: NativeTlsSocket, success: boolean, error: VerifyError | null): void;
  session(socket: NativeTlsSocket, session: Buffer): void;
}
type VerifyError = Error & { readonly code?: string };

/** A connection that has come to a listener. */
export class BunTlsServerSocket extends BunSocket {
  #handshake: ServerHandshake | undefined;
  #serverName = "";

  /** @param native is not encrypted yet */
  start(native: NativeSocket, tls: ServerTls): void {
    native.setNoDelay(true);
    this.attach(native);
    native.data = new HelloReader(native, this, tls);
  }

  /** @param bytes of the socket below, which have come already */
  encrypt(native: Upgradable, handshake: ServerHandshake, name: string, bytes: Buffer): void {
    this.#handshake = handshake;
    this.#serverName = name;
    const { context, clients, alpn } = handshake;
    const pair = native.upgradeTLS({
      isServer: true,
      initialData: bytes,
      data: this,
      tls: {
        // Bun's own socket takes the native part.
        secureContext: (context as unknown as { context: object }).context,
        requestCert: clients !== undefined,
        rejectUnauthorized: false,
        ...(alpn.length > 0 && { ALPNProtocols: wireNames(alpn) }),
      },
      socket: secureEvents,
    });
    if (pair === undefined) this.closed(undefined);
    else if (!this.isClosed) this.attach(pair[1]);
  }

  finished(native: NativeTlsSocket, success: boolean, error: VerifyError | null): void {
    if (this.isClosed) return;
    if (!success) {
      this.failed(TlsError.handshake(error ?? new Error("closed")));
      this.destroy();
      return;
    }
    const { clients, recordBytesMax } = this.#handshake!;
    if (recordBytesMax < recordBytesUsual) native.setMaxSendFragment(recordBytesMax);
    const certificate = clients && native.getPeerCertificate(false);
    const peer = peerOf(certificate, error?.code, clients?.depthMax ?? 0);
    this.tls = sessionOf(native, this.#serverName, peer);
    this.handler.onConnect();
    this.canSend();
  }
}

/** Hears the socket below until the client's first message has come. */
class HelloReader implements NativeOwner {
  readonly handler: NativeOwner["handler"];
  readonly #native: NativeSocket;
  readonly #socket: BunTlsServerSocket;
  readonly #tls: ServerTls;
  #bytes: Buffer = Buffer.alloc(0);
  #isEncrypted = false;

  constructor(native: NativeSocket, socket: BunTlsServerSocket, tls: ServerTls) {
    this.#native = native;
    this.#socket = socket;
    this.#tls = tls;
    this.handler = {
      onData: (chunk) => this.#received(chunk),
      onEnd: () => {
        if (!this.#isEncrypted) this.#socket.destroy();
      },
    };
  }

  drained(): void {}
  failed(error: Error): void {
    if (!this.#isEncrypted) this.#socket.failed(error);
  }
  closed(error: Error | undefined): void {
    if (!this.#isEncrypted) this.#socket.closed(error);
  }

  #received(chunk: Buffer): void {
    // The socket below goes on to report what comes, encrypted.
    if (this.#isEncrypted) return;
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk]);
    const bytes = this.#bytes;
    const hello = readClientHello(bytes);
    if (hello === "incomplete") return;
    const socket = this.#socket;
    if (hello === "plain") {
      socket.tls = "missing";
      socket.opened(this.#native);
      socket.handler.onConnect();
      socket.handler.onData(bytes);
      return;
    }
    const handshake = this.#tls.handshake(hello);
    if (handshake === undefined) {
      this.#native.write(unrecognizedName);
      socket.destroy();
      return;
    }
    this.#isEncrypted = true;
    socket.encrypt(this.#native as Upgradable, handshake, hello.serverName, bytes);
  }
}

/** An outgoing connection. */
export class BunTlsClientSocket extends BunSocket {
  #tls: ClientTls | undefined;

  start(native: NativeTlsSocket, tls: ClientTls): void {
    native.setNoDelay(true);
    this.#tls = tls;
    this.attach(native);
    if (this.isClosed) native.close();
    else if (tls.session) native.setSession(tls.session);
  }

  sessionComes(session: Buffer): void {
    const tls = this.#tls;
    // Of a server that has not shown who it is, none.
    if (tls?.settings.keepsSessions && this.tls !== undefined) tls.session = session;
  }

  finished(native: NativeTlsSocket, success: boolean, error: VerifyError | null): void {
    if (this.isClosed) return;
    const tls = this.#tls!;
    // Of a client, Bun says that the handshake failed where it trusts the server not.
    const isDone = success || isFault(error?.code ?? "");
    const fault = isDone ? clientFault(native, error, tls) : undefined;
    if (!isDone || fault !== undefined) {
      tls.session = undefined;
      this.failed(
        fault === undefined
          ? TlsError.handshake(error ?? new Error("closed by the peer"))
          : TlsError.untrusted(fault),
      );
      this.destroy();
      return;
    }
    this.tls = sessionOf(native, tls.serverName ?? "", undefined);
    this.handler.onConnect();
    this.canSend();
  }
}

function clientFault(
  native: NativeTlsSocket,
  error: VerifyError | null,
  tls: ClientTls,
): string | undefined {
  const { settings } = tls;
  if (!settings.verifies) return undefined;
  const code = error?.code ?? error?.message;
  // Names are checked here, since Bun compares with the host alone.
  if (code !== undefined && code !== nameFault) return code;
  if (native.isSessionReused()) return undefined;
  const certificate = native.getPeerCertificate(false);
  if (!certificate) return "CERT_REJECTED";
  if (intermediates(certificate) > settings.depthMax) return "CERT_CHAIN_TOO_LONG";
  return tls.wrongName(certificate);
}

const nameFault = "ERR_TLS_CERT_ALTNAME_INVALID";
const recordBytesUsual = 16_384;

/** Each name with its length before it (RFC 7301, 3.1). */
export function wireNames(names: readonly string[]): Buffer {
  return Buffer.concat(names.map((name) => Buffer.from([name.length, ...Buffer.from(name)])));
}

function sessionOf(
  native: NativeTlsSocket,
  serverName: string,
  peer: TlsSession["peer"],
): TlsSession {
  return {
    protocol: native.getTLSVersion(),
    cipher: native.getCipher().name ?? "",
    serverName,
    alpn: native.alpnProtocol || "",
    isReused: native.isSessionReused(),
    peer,
  };
}

/** Of the encrypted sockets of listeners. */
const secureEvents: NativeTlsHandlers = {
  open() {},
  handshake: (native, success, error) =>
    (native.data as BunTlsServerSocket).finished(native, success, error),
  session() {},
  data: (native, chunk) => native.data.handler.onData(chunk),
  drain: (native) => native.data.drained(),
  end: (native) => native.data.handler.onEnd(),
  close: (native, error) => native.data?.closed(error),
  error: (native, error) => native.data?.failed(error),
};

/** What `Bun.connect` gets, and the events of that socket. */
export function connectSecure(
  socket: BunTlsClientSocket,
  tls: ClientTls,
): { readonly tls: object; readonly handlers: NativeTlsHandlers } {
  const { context, serverName } = tls;
  return {
    tls: {
      secureContext: (context as unknown as { context: object }).context,
      rejectUnauthorized: false,
      // An empty name keeps Bun from sending the host's.
      serverName: serverName ?? "",
    },
    handlers: {
      open: (native) => socket.start(native as NativeTlsSocket, tls),
      handshake: (native, success, error) => socket.finished(native, success, error),
      session: (_native, session) => socket.sessionComes(session),
      data: (_native, chunk) => socket.handler.onData(chunk),
      drain: () => socket.drained(),
      end: () => socket.handler.onEnd(),
      close: (_native, error) => socket.closed(error),
      error: (_native, error) => socket.failed(error),
    },
  };
}
