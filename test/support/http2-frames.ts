/** HTTP/2 by its frames, for what no library sends (RFC 9113, section 4; RFC 7541, without Huffman codes). */
import { connect, type Socket } from "node:net";

export const frameTypes = {
  data: 0,
  headers: 1,
  reset: 3,
  settings: 4,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;
export const endStream = 1;
export const endHeaders = 4;

const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

export function frame(
  type: number,
  flags: number,
  stream: number,
  payload: string | Buffer = "",
): Buffer {
  const bytes = Buffer.from(payload as string, "latin1");
  const head = Buffer.alloc(9);
  head.writeUIntBE(bytes.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, bytes]);
}

/** Literal fields that no table keeps; names and values are shorter than 127 bytes. */
export function fieldBlock(fields: readonly string[]): Buffer {
  const parts: Buffer[] = [];
  fields.forEach((text, index) => {
    const bytes = Buffer.from(text, "latin1");
    parts.push(Buffer.from(index % 2 === 0 ? [0, bytes.length] : [bytes.length]), bytes);
  });
  return Buffer.concat(parts);
}

/** A connection that has sent what each begins with, and takes all that comes. */
export class FrameClient {
  readonly frames: Frame[] = [];
  isClosed = false;
  readonly socket: Socket;
  #bytes: Buffer = Buffer.alloc(0);

  constructor(port: number) {
    this.socket = connect(port, "127.0.0.1");
    this.socket.on("error", () => {});
    this.socket.on("close", () => {
      this.isClosed = true;
    });
    this.socket.on("data", (chunk) => this.#read(chunk));
    this.socket.write(preface);
    this.socket.write(frame(frameTypes.settings, 0, 0));
  }

  #read(chunk: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    while (this.#bytes.length >= 9) {
      const end = 9 + this.#bytes.readUIntBE(0, 3);
      if (this.#bytes.length < end) return;
      const [type, flags] = [this.#bytes[3]!, this.#bytes[4]!];
      const payload = this.#bytes.subarray(9, end);
      this.frames.push({ type, flags, stream: this.#bytes.readUInt32BE(5), payload });
      this.#bytes = this.#bytes.subarray(end);
      if (type === frameTypes.settings && flags === 0) {
        this.socket.write(frame(frameTypes.settings, 1, 0));
      }
    }
  }

  of(type: number, stream?: number): Frame[] {
    return this.frames.filter(
      (one) => one.type === type && (stream === undefined || one.stream === stream),
    );
  }
}
