/** ZeroMQ as engines speak it to a proxy (ZMTP 3.0, NULL). It shares no code with the proxy's side. */

export const greeting = Buffer.alloc(64);
greeting.set([0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f, 3]);
greeting.write("NULL", 12);

/** @param identity by which a ROUTER addresses this socket; "" = the ROUTER assigns one */
export function ready(socketType: string, identity = ""): Buffer {
  const properties = [property("Socket-Type", socketType)];
  if (identity !== "") properties.push(property("Identity", identity));
  const body = Buffer.concat([Buffer.from("\x05READY"), ...properties]);
  return Buffer.concat([Buffer.from([4, body.length]), body]);
}

function property(name: string, value: string): Buffer {
  const size = Buffer.alloc(4);
  size.writeUInt32BE(Buffer.byteLength(value));
  return Buffer.concat([Buffer.from([name.length]), Buffer.from(name), size, Buffer.from(value)]);
}

/** @param more whether another part of the same message follows */
export function frame(body: Uint8Array, more = false): Buffer {
  const flag = more ? 1 : 0;
  if (body.length < 256) return Buffer.concat([Buffer.from([flag, body.length]), body]);
  const head = Buffer.alloc(9);
  head[0] = 2 | flag;
  head.writeBigUInt64BE(BigInt(body.length), 1);
  return Buffer.concat([head, body]);
}

/** One message of several parts. */
export function message(parts: readonly Uint8Array[]): Buffer {
  return Buffer.concat(parts.map((part, at) => frame(part, at < parts.length - 1)));
}

/** The largest message of a proxy: a topic, or a sequence number. */
const receivedBytesMax = 65_536;

/**
 * Reads the messages of a peer, after its greeting. Only short frames; commands are skipped. Throws for a frame or a
 * message that is too large.
 */
export class MessageReader {
  #pending: Buffer = Buffer.alloc(0);
  #hasGreeting = false;
  #parts: Buffer[] = [];

  push(chunk: Buffer): Buffer[][] {
    const messages: Buffer[][] = [];
    this.#pending = Buffer.concat([this.#pending, chunk]);
    if (this.#pending.length > receivedBytesMax)
      throw new RangeError("the peer sent too many bytes");
    if (!this.#hasGreeting && this.#pending.length >= greeting.length) {
      this.#hasGreeting = true;
      this.#pending = this.#pending.subarray(greeting.length);
    }
    while (this.#hasGreeting && this.#pending.length >= 2) {
      const [flags = 0, size = 0] = this.#pending;
      if ((flags & 2) !== 0) throw new RangeError("a frame is too large");
      if (this.#pending.length < 2 + size) break;
      const body = this.#pending.subarray(2, 2 + size);
      this.#pending = this.#pending.subarray(2 + size);
      if ((flags & 4) !== 0) continue;
      this.#parts.push(body);
      if ((flags & 1) !== 0) continue;
      messages.push(this.#parts);
      this.#parts = [];
    }
    return messages;
  }
}
