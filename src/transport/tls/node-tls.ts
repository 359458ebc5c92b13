/** TLS over `node:net` and `node:tls`. */
import type net from "node:net";
import type { TLSSocket } from "node:tls";
import { readTurn, type TurnTaker } from "../read-turn.ts";
import { noHandler, type Socket, type SocketHandler, span } from "../socket.ts";
import { unrecognizedName } from "./alerts.ts";
import { readClientHello } from "./client-hello.ts";
import { type ClientTls, type ServerHandshake, type ServerTls, tlsLibrary } from "./context.ts";
import { TlsError } from "./error.ts";
import type { TlsSession } from "./session.ts";
import { intermediates, peerOf } from "./verification.ts";

/** The parts of Node without a public API. */
interface NodeHandle {
  /** Bytes that wait to be sent. */
  readonly writeQueueSize?: number;
  verifyError?(): { readonly code: string } | null;
}
const handleOf = (socket: net.Socket) => (socket as { _handle?: NodeHandle | null })._handle;

export class NodeTlsSocket implements Socket, TurnTaker {
  handler: SocketHandler;
  tls: TlsSession | "missing" | undefined;
  readonly #raw: net.Socket;
  /** The same as `#raw` until the handshake begins, or if the peer does not speak TLS. */
  #socket: net.Socket;
  /** What is to be sent once the peer has shown who it is; undefined = it has. */
  #early: Buffer[] | undefined = [];
  #earlyBytes = 0;
  /** Bytes of the write that the TLS library has in hand, if it is the only one. */
  #writing = 0;
  #isPaused = false;
  #isEnding = false;
  #hasPending = false;
  #error: Error | undefined;

  constructor(raw: net.Socket, handler: SocketHandler) {
    this.#raw = raw;
    this.#socket = raw;
    this.handler = handler;
    raw.on("error", this.#onError);
    raw.on("close", this.#onRawClose);
  }

  /** A connection has come. Calls `onConnect` after the handshake, or once the client has shown to speak no TLS. */
  accept(tls: ServerTls): void {
    const raw = this.#raw;
    let bytes: Buffer = noBytes;
    const onData = (chunk: Buffer) => {
      bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
      const hello = readClientHello(bytes);
      if (hello === "incomplete") return;
      raw.off("data", onData);
      raw.off("end", onEnd);
      raw.pause();
      raw.unshift(bytes);
      if (hello === "plain") {
        this.tls = "missing";
        this.#open(raw);
        return;
      }
      const handshake = tls.handshake(hello);
      if (handshake === undefined) raw.end(unrecognizedName, () => raw.destroy());
      else this.#acceptSecure(handshake, hello.serverName);
    };
    const onEnd = () => raw.destroy();
    raw.on("data", onData);
    raw.on("end", onEnd);
    if (this.#isPaused) raw.pause();
  }

  /** Connects; `onConnect` is called once the server has shown who it is. */
  connect(tls: ClientTls): void {
    const raw = this.#raw;
    raw.once("connect", () => {
      const { context, serverName, session, settings } = tls;
      const secure = tlsLibrary().connect({
        socket: raw,
        secureContext: context,
        rejectUnauthorized: false,
        ...(serverName !== undefined && { servername: serverName }),
        ...(session && { session }),
        checkServerIdentity: (_host, certificate) =>
          tls.wrongName(certificate) === undefined ? undefined : wrongName,
      });
      this.#encrypt(secure);
      if (settings.keepsSessions) {
        secure.on("session", (next) => {
          tls.session = next;
        });
      }
      secure.once("secureConnect", () => {
        const code = settings.verifies ? clientFault(secure, settings.depthMax) : undefined;
        if (code !== undefined) {
          tls.session = undefined;
          this.#fail(TlsError.untrusted(code));
          return;
        }
        this.tls = sessionOf(secure, serverName ?? "", undefined, Number.POSITIVE_INFINITY);
        this.#open(secure);
      });
    });
  }

  #acceptSecure(handshake: ServerHandshake, serverName: string): void {
    const { context, clients, alpn, recordBytesMax } = handshake;
    const secure = new (tlsLibrary().TLSSocket)(this.#raw, {
      isServer: true,
      secureContext: context,
      requestCert: clients !== undefined,
      rejectUnauthorized: false,
      ALPNProtocols: [...alpn],
      highWaterMark: this.#raw.writableHighWaterMark,
    } as ConstructorParameters<typeof TLSSocket>[1]);
    this.#encrypt(secure);
    if (recordBytesMax < recordBytesUsual) secure.setMaxSendFragment(recordBytesMax);
    secure.once("secure", () => {
      const code = handleOf(secure)?.verifyError?.()?.code;
      this.tls = sessionOf(secure, serverName, code, clients?.depthMax ?? 0);
      this.#open(secure);
    });
  }

  #encrypt(secure: TLSSocket): void {
    this.#socket = secure;
    secure.on("error", this.#onError);
    this.#raw.off("close", this.#onRawClose);
    secure.on("close", this.#onRawClose);
  }

  /** From now on bytes of the layer above come and go. */
  #open(socket: net.Socket): void {
    socket.on("end", () => this.handler.onEnd());
    const early = this.#early ?? [];
    this.#early = undefined;
    this.#earlyBytes = 0;
    for (const chunk of early) this.write(chunk);
    this.handler.onConnect();
    if (this.#isEnding) socket.end();
    socket.on("data", this.#onData);
    if (this.#isPaused) socket.pause();
    else socket.resume();
  }

  readonly #onData = (chunk: Buffer) => {
    this.handler.onData(chunk);
    readTurn.took(this, chunk.length);
  };
  readonly #onError = (error: Error) => {
    this.#error ??= this.tls === undefined ? TlsError.handshake(error) : error;
  };
  readonly #onRawClose = () => this.handler.onClose(this.#error);

  #fail(error: Error): void {
    this.#error ??= error;
    this.#socket.destroy();
  }

  holdTurn(): void {
    this.#socket.pause();
  }
  takeTurn(): void {
    if (!this.#isPaused) this.#socket.resume();
  }

  write(chunk: Buffer, start = 0, end = chunk.length): void {
    if (this.#early !== undefined) {
      this.#early.push(span(chunk, start, end));
      this.#earlyBytes += end - start;
      return;
    }
    const isOnly = this.#socket.writableLength === 0;
    this.#writing = isOnly && end - start <= wholeWriteBytesMax ? end - start : 0;
    this.#socket.write(span(chunk, start, end), this.#written);
    if (!this.#hasPending) this.#hasPending = this.pendingBytes > 0;
  }

  /** Node says so only after much was pending; here writes often are, for a moment. */
  readonly #written = () => {
    if (!this.#hasPending || this.#socket.writableLength > 0) return;
    this.#hasPending = false;
    if (!this.#socket.destroyed) this.handler.onDrain();
  };

  /**
   * What is encrypted has left the memory of the owner, and the library says that it is sent only in the next turn: it
   * is, if nothing waits in the socket below.
   */
  get pendingBytes(): number {
    const { writableLength } = this.#socket;
    if (writableLength === 0) return this.#earlyBytes;
    const isSent = writableLength === this.#writing && this.#rawQueueBytes === 0;
    return isSent ? 0 : writableLength;
  }
  get #rawQueueBytes(): number {
    return handleOf(this.#raw)?.writeQueueSize ?? 0;
  }
  get writeQueueBytes(): number {
    if (this.#socket === this.#raw) return this.#rawQueueBytes;
    // With TLS, some of what is encrypted counts twice.
    return this.#rawQueueBytes + (handleOf(this.#socket)?.writeQueueSize ?? 0);
  }
  pause(): void {
    this.#isPaused = true;
    this.#socket.pause();
  }
  resume(): void {
    this.#isPaused = false;
    this.#socket.resume();
  }
  end(): void {
    this.#isEnding = true;
    if (this.#early === undefined) this.#socket.end();
    else this.#socket.destroy();
  }
  destroy(): void {
    this.#socket.destroy();
  }
  reset(): void {
    // Unix sockets have no reset: Node throws.
    if (this.#raw.remotePort !== undefined) this.#raw.resetAndDestroy();
    this.#socket.destroy();
  }
  get remoteAddress(): string {
    return this.#raw.remoteAddress ?? "unix:";
  }
  get remotePort(): number {
    return this.#raw.remotePort ?? 0;
  }
  get localAddress(): string {
    return this.#raw.localAddress ?? "unix:";
  }
  get localPort(): number {
    return this.#raw.localPort ?? 0;
  }
}

const noBytes = Buffer.alloc(0);
/** The library hands so many bytes to the socket in one go; of more, some may wait in the library. */
const wholeWriteBytesMax = 65_536;
const recordBytesUsual = 16_384;
const wrongName = Object.assign(new Error("hostname mismatch"), {
  code: "ERR_TLS_CERT_ALTNAME_INVALID",
});

/** The code of what is wrong with the server's certificate. */
function clientFault(secure: TLSSocket, depthMax: number): string | undefined {
  // Types say an error; it is the error's code.
  const code = secure.authorizationError as unknown as string | null | undefined;
  if (code !== null && code !== undefined) return code;
  if (secure.isSessionReused()) return undefined;
  const isTooLong = intermediates(secure.getPeerCertificate(true)) > depthMax;
  return isTooLong ? "CERT_CHAIN_TOO_LONG" : undefined;
}

function sessionOf(
  secure: TLSSocket,
  serverName: string,
  code: string | undefined,
  depthMax: number,
): TlsSession {
  const isAsked = depthMax !== Number.POSITIVE_INFINITY;
  return {
    protocol: secure.getProtocol() ?? "",
    cipher: secure.getCipher()?.name ?? "",
    serverName,
    alpn: secure.alpnProtocol || "",
    isReused: secure.isSessionReused(),
    peer: isAsked ? peerOf(secure.getPeerCertificate(true), code, depthMax) : undefined,
  };
}

/** A listener's new connection, which is encrypted. */
export function acceptTls(
  raw: net.Socket,
  tls: ServerTls,
  onSocket: (socket: Socket) => void,
): void {
  const socket = new NodeTlsSocket(raw, noHandler);
  onSocket(socket);
  socket.accept(tls);
}
