/** One end of a connection in memory. It behaves as a socket of `tcp.ts`, including how Node counts pending bytes. */
import { type Socket, type SocketHandler, span } from "./socket.ts";
import type { TlsSession } from "./tls/session.ts";

/** How a simulated network behaves. */
export interface MemoryOptions {
  /** Uniform in [0, 1). */
  random(): number;
  /** Latency of bytes: at least and at most. */
  readonly latencyMs: readonly [number, number];
  /** Bytes that one read returns of what has arrived: at least and at most. */
  readonly readBytes: readonly [number, number];
  /** Bytes that the kernels buffer for one direction of a connection, from the write to the read. */
  readonly kernelBytes: number;
}

/** What a socket needs of its network. */
export interface SocketNetwork {
  readonly options: MemoryOptions;
  /** Sockets that are not closed. */
  readonly open: Set<MemorySocket>;
  nowMs(): number;
  after(delayMs: number, run: () => void): void;
  defer(task: () => void): void;
  between(range: readonly [number, number]): number;
}

/** How one side of a connection dies: it closes, it resets, or the network in between goes silent. */
export type Cut = "fin" | "rst" | "silence";

/** As `highWaterMark` in `tcp.ts`: `onDrain` is called only after this many bytes were pending. */
const drainBytes = 65_536;

type Names = readonly [address: string, port: number, peerAddress: string, peerPort: number];

export class MemorySocket implements Socket {
  handler: SocketHandler;
  /** What a simulation says of a handshake that there was none of. */
  tls: TlsSession | "missing" | undefined;
  readonly localAddress: string;
  readonly localPort: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
  /** The other end, once connected. */
  peer: MemorySocket | undefined;
  pendingBytes = 0;
  /** Bytes that the owner has received so far. */
  bytesRead = 0;
  readonly #network: SocketNetwork;
  /**
   * Whether it stays open after the peer sent FIN: not by default in Node; `tcp.ts` asks for it on accepted sockets.
   */
  #halfOpen = true;
  /** The write that the kernel is taking, of `#batchBytes`, and those behind it, which Node joins later. */
  #batch: Buffer[] = [];
  #batchBytes = 0;
  #waiting: Buffer[] = [];
  #drains = false;
  /** Bytes written here that the kernels still buffer. */
  #unread = 0;
  #lastArrivalMs = 0;
  /** What has arrived, and the FIN or RST behind it. */
  #inbox: Buffer[] = [];
  #mark: "fin" | "rst" | undefined;
  #reading = false;
  #paused = false;
  #ending = false;
  #finSent = false;
  #finReceived = false;
  /** Grows with each cut, by which the bytes in transit are lost. */
  #life = 0;
  #silent = false;
  #stop: { readonly atBytes: number; run(): void } | undefined;

  constructor(network: SocketNetwork, handler: SocketHandler, names: Names) {
    this.#network = network;
    this.handler = handler;
    [this.localAddress, this.localPort, this.remoteAddress, this.remotePort] = names;
    network.open.add(this);
  }

  get closed(): boolean {
    return !this.#network.open.has(this);
  }

  join(peer: MemorySocket): void {
    this.#halfOpen = false;
    this.peer = peer;
    peer.peer = this;
  }

  connected(): void {
    this.handler.onConnect();
    this.#flush();
  }

  write(chunk: Buffer, start = 0, end = chunk.length): void {
    if (this.closed || start === end || (this.#finReceived && !this.#halfOpen)) return;
    if (this.#ending) throw new Error("write after end");
    this.pendingBytes += end - start;
    if (this.pendingBytes >= drainBytes) this.#drains = true;
    this.#waiting.push(span(chunk, start, end));
    this.#flush();
  }

  get writeQueueBytes(): number {
    return this.#batch.reduce((bytes, piece) => bytes + piece.length, 0);
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#wake();
  }

  end(): void {
    this.#ending = true;
    this.#flush();
  }

  /** What the kernel has is still sent; if received bytes are unread, the peer is reset, as by Linux. */
  destroy(): void {
    if (this.closed) return;
    const unread = this.#inbox.length > 0;
    if (unread || !this.#finSent) this.#send(unread ? "rst" : "fin");
    this.fail(undefined);
  }

  reset(): void {
    if (this.closed) return;
    this.#send("rst");
    this.fail(undefined);
  }

  /** This side dies, and what the peer has not read is lost. Its own handler is not called again. */
  cut(how: Cut): void {
    this.#network.open.delete(this);
    this.#life += 1;
    if (this.peer !== undefined) this.peer.#inbox = [];
    if (how === "silence") this.#silent = true;
    else this.#send(how);
  }

  /** Runs once the owner has received that many bytes; no read goes past them. */
  atBytesRead(atBytes: number, run: () => void): void {
    this.#stop = { atBytes, run };
    this.#checkStop();
  }

  fail(code: string | undefined): void {
    if (this.closed) return;
    this.#network.open.delete(this);
    this.pendingBytes = 0;
    this.#batch = [];
    this.#waiting = [];
    this.#inbox = [];
    const error = code === undefined ? undefined : Object.assign(new Error(code), { code });
    this.#network.defer(() => this.handler.onClose(error));
  }

  /** Gives the kernel what fits. `pendingBytes` falls when a whole batch is taken, as in Node. */
  #flush(): void {
    if (this.closed || this.peer === undefined) return;
    while (this.pendingBytes > 0) {
      if (this.#batch.length === 0) {
        this.#batch = this.#waiting;
        this.#waiting = [];
        this.#batchBytes = this.pendingBytes;
      }
      const piece = this.#batch[0]!;
      const taken = Math.min(piece.length, this.#network.options.kernelBytes - this.#unread);
      if (taken === 0) return;
      this.#unread += taken;
      // A copy: the owner may reuse the memory.
      this.#send(Buffer.from(piece.subarray(0, taken)));
      if (taken < piece.length) this.#batch[0] = piece.subarray(taken);
      else this.#batch.shift();
      if (this.#batch.length === 0) this.pendingBytes -= this.#batchBytes;
    }
    if (this.#drains) this.#network.defer(() => this.#drained());
    if (!this.#ending || this.#finSent) return;
    this.#finSent = true;
    this.#send("fin");
    this.#closeIfOver();
  }

  #drained(): void {
    if (!this.#drains || this.pendingBytes > 0 || this.#ending || this.closed) return;
    this.#drains = false;
    this.handler.onDrain();
  }

  /** In order, whatever the latency of each piece. */
  #send(what: Buffer | "fin" | "rst"): void {
    const { peer } = this;
    if (peer === undefined || this.#silent) return;
    const network = this.#network;
    const nowMs = network.nowMs();
    const life = this.#life;
    const { latencyMs } = network.options;
    this.#lastArrivalMs = Math.max(this.#lastArrivalMs, nowMs + network.between(latencyMs));
    network.after(this.#lastArrivalMs - nowMs, () => {
      if (life === this.#life) peer.#arrive(what);
    });
  }

  #arrive(what: Buffer | "fin" | "rst"): void {
    if (this.#silent) return;
    if (this.closed) {
      if (typeof what !== "string") this.#send("rst");
      return;
    }
    if (typeof what !== "string") this.#inbox.push(what);
    else this.#mark = what;
    if (what === "rst" && this.#paused) this.fail("ECONNRESET");
    this.#wake();
  }

  #wake(): void {
    if (this.#reading || (this.#inbox.length === 0 && this.#mark === undefined)) return;
    this.#reading = true;
    this.#network.defer(() => {
      this.#reading = false;
      if (this.#paused || this.closed) return;
      if (this.#inbox.length > 0) this.#read();
      else this.#readMark();
      this.#wake();
    });
  }

  #read(): void {
    const network = this.#network;
    const all = this.#inbox.length === 1 ? this.#inbox[0]! : Buffer.concat(this.#inbox);
    const stop = (this.#stop?.atBytes ?? Number.POSITIVE_INFINITY) - this.bytesRead;
    const bytes = Math.min(all.length, stop, network.between(network.options.readBytes));
    this.#inbox = bytes < all.length ? [all.subarray(bytes)] : [];
    this.bytesRead += bytes;
    const { peer } = this;
    network.after(network.between(network.options.latencyMs), () => {
      peer!.#unread -= bytes;
      peer!.#flush();
    });
    this.handler.onData(Buffer.from(all.subarray(0, bytes)));
    this.#checkStop();
  }

  #readMark(): void {
    const mark = this.#mark;
    this.#mark = undefined;
    if (mark === "rst") {
      this.fail("ECONNRESET");
    } else if (mark === "fin") {
      this.#finReceived = true;
      this.handler.onEnd();
      if (!this.#halfOpen) this.end();
      this.#closeIfOver();
    }
  }

  #closeIfOver(): void {
    if (this.#finSent && this.#finReceived) this.fail(undefined);
  }

  #checkStop(): void {
    const stop = this.#stop;
    if (stop === undefined || this.bytesRead < stop.atBytes) return;
    this.#stop = undefined;
    stop.run();
  }
}
