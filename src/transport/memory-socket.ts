/** One end of a connection in memory. It behaves as a socket of `tcp.ts`, down to what Node says of bytes that wait. */
import type { MemoryNetwork } from "./memory.ts";
import { type Socket, type SocketHandler, span } from "./socket.ts";

/** How one side of a connection dies: it closes, it resets, or the network in between goes silent. */
export type Cut = "fin" | "rst" | "silence";

/** As `highWaterMark` in `tcp.ts`: `onDrain` comes after as much has waited. */
const drainBytes = 65_536;

type Names = readonly [address: string, port: number, peerAddress: string, peerPort: number];

export class MemorySocket implements Socket {
  handler: SocketHandler;
  readonly localAddress: string;
  readonly localPort: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
  /** The other end, once connected. */
  peer: MemorySocket | undefined;
  pendingBytes = 0;
  /** What the owner was given so far, in bytes. */
  bytesRead = 0;
  readonly #network: MemoryNetwork;
  /** Whether it stays open when the peer has ended: in Node the default is no, and `tcp.ts` asks for it where it accepts. */
  #halfOpen = true;
  /** The write that the kernel is taking, of `#batchBytes`, and those behind it, which Node makes one of later. */
  #batch: Buffer[] = [];
  #batchBytes = 0;
  #waiting: Buffer[] = [];
  #drains = false;
  /** Bytes that the kernels hold of those written here. */
  #unread = 0;
  #lastArrivalMs = 0;
  /** What has arrived, and what stands behind it. */
  #inbox: Buffer[] = [];
  #mark: "fin" | "rst" | undefined;
  #reading = false;
  #paused = false;
  #ending = false;
  #finSent = false;
  #finSeen = false;
  /** Counts up with a cut, by which what is under way is lost. */
  #life = 0;
  #silent = false;
  #stop: { readonly atBytes: number; run(): void } | undefined;

  constructor(network: MemoryNetwork, handler: SocketHandler, names: Names) {
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
    if (this.closed || start === end || (this.#finSeen && !this.#halfOpen)) return;
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

  /** What the kernel has is sent all the same; where something is unread the peer is reset, as by Linux. */
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

  /** This side is gone, and so is what it has sent and the other has not read. Its own handler hears nothing more. */
  cut(how: Cut): void {
    this.#network.open.delete(this);
    this.#life += 1;
    if (this.peer !== undefined) this.peer.#inbox = [];
    if (how === "silence") this.#silent = true;
    else this.#send(how);
  }

  /** Runs once the owner was given so many bytes; no read goes past them. */
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

  /** Gives the kernel what it has room for. `pendingBytes` falls when a whole batch is taken, as Node counts. */
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
      // A copy: the owner may use the memory again.
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
      this.#finSeen = true;
      this.handler.onEnd();
      if (!this.#halfOpen) this.end();
      this.#closeIfOver();
    }
  }

  #closeIfOver(): void {
    if (this.#finSent && this.#finSeen) this.fail(undefined);
  }

  #checkStop(): void {
    const stop = this.#stop;
    if (stop === undefined || this.bytesRead < stop.atBytes) return;
    this.#stop = undefined;
    stop.run();
  }
}
