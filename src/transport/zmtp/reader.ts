/**
 * What ZeroMQ peers send each other (ZMTP 3.0, mechanism NULL), without I/O: greeting, handshake, messages. Later
 * versions fall back to 3.0. Source: rfc.zeromq.org/spec/23.
 */
import { zmtpFrameBytesMax, zmtpPartsMax } from "../../limits.ts";

/** The peer does not speak this protocol, or sent too much. */
export class ZmtpError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "ZmtpError";
  }
}

const greetingBytes = 64;
const signatureBytes = 10;
const mechanism = Buffer.alloc(20);
mechanism.write("NULL");

const moreFlag = 1;
const longFlag = 2;
const commandFlag = 4;

/** Version 3.0, NULL, as a client. */
export function greeting(): Buffer {
  const bytes = Buffer.alloc(greetingBytes);
  bytes[0] = 0xff;
  bytes[9] = 0x7f;
  bytes[10] = 3;
  mechanism.copy(bytes, 12);
  return bytes;
}

export function ready(socketType: string): Buffer {
  const name = "\x05READY\x0bSocket-Type";
  const value = Buffer.alloc(4);
  value.writeUInt32BE(socketType.length);
  const body = Buffer.concat([Buffer.from(name), value, Buffer.from(socketType)]);
  return Buffer.concat([Buffer.from([commandFlag, body.length]), body]);
}

/** The frames of one message. */
export function frames(parts: readonly Uint8Array[]): Buffer {
  const all: Uint8Array[] = [];
  parts.forEach((part, at) => {
    const flags = at < parts.length - 1 ? moreFlag : 0;
    const isLong = part.length > 255;
    const head = Buffer.alloc(isLong ? 9 : 2);
    head[0] = isLong ? flags | longFlag : flags;
    if (isLong) head.writeBigUInt64BE(BigInt(part.length), 1);
    else head[1] = part.length;
    all.push(head, part);
  });
  return Buffer.concat(all);
}

/** Reads bytes as they arrive. Throws a ZmtpError, after which the connection must be closed. */
export class ZmtpReader {
  /** The socket type in the peer's handshake; undefined before that. */
  peerType: string | undefined;
  /** Complete messages by their parts; the caller removes them. */
  readonly messages: (readonly Buffer[])[] = [];
  readonly #messageBytesMax: number;
  /** Bytes of an incomplete frame as they arrived, and how many are needed to continue. */
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  #wantedBytes = 0;
  #greeted = false;
  #parts: Buffer[] = [];
  #partsBytes = 0;

  /** @param messageBytesMax the most bytes of all parts of one message, and so of one frame */
  constructor(messageBytesMax: number = zmtpFrameBytesMax) {
    this.#messageBytesMax = messageBytesMax;
  }

  push(chunk: Buffer): void {
    this.#pending.push(chunk);
    this.#pendingBytes += chunk.length;
    // A large frame arrives in many chunks, which are joined once.
    if (this.#pendingBytes < this.#wantedBytes) return;
    const bytes = this.#pending.length === 1 ? chunk : Buffer.concat(this.#pending);
    let at = 0;
    this.#wantedBytes = 0;
    if (!this.#greeted) {
      checkGreeting(bytes);
      if (bytes.length >= greetingBytes) {
        this.#greeted = true;
        at = greetingBytes;
      }
    }
    while (this.#greeted) {
      const end = this.#frame(bytes, at);
      if (end < 0) break;
      at = end;
    }
    // A copy, so that a few bytes do not hold the whole chunk in memory.
    this.#pending = at === bytes.length ? [] : [Buffer.from(bytes.subarray(at))];
    this.#pendingBytes = bytes.length - at;
  }

  /** Reads the frame at `at` and returns where it ends; -1 = it is not complete. */
  #frame(bytes: Buffer, at: number): number {
    const flags = bytes[at];
    if (flags === undefined) return -1;
    if (flags > (commandFlag | longFlag) || flags === (commandFlag | moreFlag))
      throw new ZmtpError("a frame has unknown flags");
    const start = at + ((flags & longFlag) === 0 ? 2 : 9);
    if (bytes.length < start) return -1;
    const size = (flags & longFlag) === 0 ? bytes[at + 1]! : Number(bytes.readBigUInt64BE(at + 1));
    if (size > this.#messageBytesMax) throw new ZmtpError("a frame is too large");
    const end = start + size;
    if (bytes.length < end) {
      this.#wantedBytes = end - at;
      return -1;
    }
    const body = bytes.subarray(start, end);
    if ((flags & commandFlag) !== 0) this.#command(body);
    else this.#part(Buffer.from(body), (flags & moreFlag) !== 0);
    return end;
  }

  #command(body: Buffer): void {
    const nameEnd = 1 + (body[0] ?? 0);
    const name = body.toString("latin1", 1, nameEnd);
    if (name === "ERROR") throw new ZmtpError("the peer rejected the handshake");
    // After the handshake, commands belong to later versions or are heartbeats: both are ignored.
    if (this.peerType !== undefined) return;
    if (name !== "READY") throw new ZmtpError("the handshake does not start with READY");
    this.peerType = socketTypeOf(body, nameEnd);
  }

  #part(part: Buffer, more: boolean): void {
    if (this.peerType === undefined) throw new ZmtpError("a message comes before the handshake");
    if (this.#parts.length >= zmtpPartsMax) throw new ZmtpError("a message has too many parts");
    this.#partsBytes += part.length;
    if (this.#partsBytes > this.#messageBytesMax) throw new ZmtpError("a message is too large");
    this.#parts.push(part);
    if (more) return;
    this.messages.push(this.#parts);
    this.#parts = [];
    this.#partsBytes = 0;
  }
}

function checkGreeting(bytes: Buffer): void {
  const isGreeting =
    (bytes.length < 1 || bytes[0] === 0xff) && (bytes.length < signatureBytes || bytes[9] === 0x7f);
  if (!isGreeting) throw new ZmtpError("the peer does not speak ZeroMQ");
  if (bytes.length > 10 && bytes[10]! < 3)
    throw new ZmtpError("the peer's ZeroMQ is older than 4.0");
  if (bytes.length >= 32 && !bytes.subarray(12, 32).equals(mechanism))
    throw new ZmtpError("the peer requires another security mechanism than NULL");
}

/** Reads the handshake's properties: each is a name with a length of one byte and a value with a length of four. */
function socketTypeOf(body: Buffer, from: number): string {
  let type: string | undefined;
  for (let at = from; at < body.length; ) {
    const nameEnd = at + 1 + body[at]!;
    if (nameEnd + 4 > body.length) throw new ZmtpError("the handshake is malformed");
    const valueEnd = nameEnd + 4 + body.readUInt32BE(nameEnd);
    if (valueEnd > body.length) throw new ZmtpError("the handshake is malformed");
    if (/^socket-type$/i.test(body.toString("latin1", at + 1, nameEnd)))
      type = body.toString("latin1", nameEnd + 4, valueEnd);
    at = valueEnd;
  }
  if (type === undefined) throw new ZmtpError("the handshake has no socket type");
  return type;
}
