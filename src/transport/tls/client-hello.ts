/**
 * What a TLS client asks for in its first message (RFC 8446, 4.1.2), read before a handshake begins: which server it
 * wants decides by which certificates and settings it is answered.
 */
import { clientHelloBytesMax } from "../../limits.ts";

export interface ClientHello {
  /** Lower case; "" = it names none. */
  readonly serverName: string;
  /** Whether it can verify an ECDSA certificate. */
  readonly takesEcdsa: boolean;
}

/** `incomplete`: more bytes are needed. `plain`: the client does not speak TLS. */
export type HelloState = "incomplete" | "plain" | ClientHello;

/** Of a message that cannot be read: the TLS library says what is wrong with it. */
const unreadable: ClientHello = { serverName: "", takesEcdsa: true };

const recordHandshake = 0x16;
const helloMessage = 1;

/** @param bytes all that have come so far */
export function readClientHello(bytes: Buffer): HelloState {
  const first = bytes[0];
  if (first === undefined) return "incomplete";
  // As in nginx: the high bit is that of an SSL 2.0 message.
  if (first !== recordHandshake) return (first & 0x80) === 0 ? "plain" : unreadable;
  const message = helloIn(bytes);
  if (message === undefined) return bytes.length < clientHelloBytesMax ? "incomplete" : unreadable;
  try {
    return parse(message);
  } catch (error) {
    if (error instanceof RangeError) return unreadable;
    throw error;
  }
}

/** The message without its header, put together from its records; undefined = it is not complete. */
function helloIn(bytes: Buffer): Buffer | undefined {
  const parts: Buffer[] = [];
  let size = 0;
  for (let at = 0; at + 5 <= bytes.length; ) {
    const end = at + 5 + bytes.readUInt16BE(at + 3);
    // Another kind of record, or an empty one, has no place here.
    if (bytes[at] !== recordHandshake || end === at + 5) return nothing;
    if (end > bytes.length) return undefined;
    parts.push(bytes.subarray(at + 5, end));
    size += end - at - 5;
    at = end;
    if (size < 4) continue;
    const whole = parts.length === 1 ? parts[0]! : Buffer.concat(parts);
    if (whole[0] !== helloMessage) return nothing;
    const length = whole.readUIntBE(1, 3);
    if (length > clientHelloBytesMax) return nothing;
    if (size >= 4 + length) return whole.subarray(4, 4 + length);
  }
  return undefined;
}

const nothing: Buffer = Buffer.alloc(0);

/** Throws `RangeError` where a length leads out of the message. */
function parse(hello: Buffer): ClientHello {
  // Version and random.
  let at = 34;
  at += 1 + hello.readUInt8(at);
  const suites = slice(hello, at + 2, hello.readUInt16BE(at));
  at += 2 + suites.length;
  at += 1 + hello.readUInt8(at);
  let serverName = "";
  let signatures: Buffer = nothing;
  let isTls13 = false;
  const end = at < hello.length ? at + 2 + hello.readUInt16BE(at) : at;
  for (at += 2; at + 4 <= end; ) {
    const type = hello.readUInt16BE(at);
    const data = slice(hello, at + 4, hello.readUInt16BE(at + 2));
    at += 4 + data.length;
    if (type === 0) serverName = readServerName(data);
    else if (type === 13) signatures = data.subarray(2);
    else if (type === 43) isTls13 = has16(data.subarray(1), (version) => version === 0x0304);
  }
  const canVerify = has16(signatures, (scheme) => ecdsaSchemes.has(scheme));
  // Before TLS 1.3 the kind of certificate is a part of the cipher suite.
  const takesEcdsa = canVerify && (isTls13 || has16(suites, (suite) => ecdsaSuites.has(suite)));
  return { serverName, takesEcdsa };
}

/** RFC 6066, section 3: of the names only the first, which is a host's. */
function readServerName(data: Buffer): string {
  if (data.length < 5 || data.readUInt8(2) !== 0) return "";
  return slice(data, 5, data.readUInt16BE(3)).toString("latin1").toLowerCase();
}

function slice(bytes: Buffer, start: number, length: number): Buffer {
  if (start + length > bytes.length) throw new RangeError("beyond the end");
  return bytes.subarray(start, start + length);
}

function has16(bytes: Buffer, test: (value: number) => boolean): boolean {
  for (let at = 0; at + 2 <= bytes.length; at += 2) {
    if (test(bytes.readUInt16BE(at))) return true;
  }
  return false;
}

/** `ecdsa_…` of RFC 8446, 4.2.3. */
const ecdsaSchemes: ReadonlySet<number> = new Set([0x0203, 0x0403, 0x0503, 0x0603]);
/** `TLS_ECDHE_ECDSA_…` of RFC 8422, 5289, 7251 and 7905. */
const ecdsaSuites: ReadonlySet<number> = new Set([
  0xc009, 0xc00a, 0xc023, 0xc024, 0xc02b, 0xc02c, 0xc0ac, 0xc0ad, 0xc0ae, 0xc0af, 0xcca9,
]);
