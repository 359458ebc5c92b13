/** Bytes from whoever connects: cut anywhere, of another protocol, or without end. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { zmtpFrameBytesMax, zmtpPartsMax } from "../../../src/limits.ts";
import {
  frames,
  greeting,
  ready,
  ZmtpError,
  ZmtpReader,
} from "../../../src/transport/zmtp/reader.ts";

const hello = Buffer.concat([greeting(), ready("DEALER")]);

function frame(body: Uint8Array, more: boolean, long: boolean): Buffer {
  const flag = more ? 1 : 0;
  if (!long && body.length < 256) return Buffer.concat([Buffer.from([flag, body.length]), body]);
  const head = Buffer.alloc(9);
  head[0] = flag | 2;
  head.writeBigUInt64BE(BigInt(body.length), 1);
  return Buffer.concat([head, body]);
}

const ping = Buffer.concat([Buffer.from([4, 7]), Buffer.from("\x04PING\0\0")]);

const message = fc.array(fc.uint8Array({ maxLength: 400 }), {
  minLength: 1,
  maxLength: zmtpPartsMax,
});

it("any messages come out as they went in, however they are framed and cut", () => {
  fc.assert(
    fc.property(
      fc.array(message, { maxLength: 5 }),
      fc.array(fc.boolean(), { minLength: 1 }),
      fc.array(fc.nat(200), { minLength: 1 }),
      (messages, longs, cuts) => {
        let frames = 0;
        const all = Buffer.concat([
          hello,
          ...messages.flatMap((parts) => [
            ...parts.map((part, i) =>
              frame(part, i < parts.length - 1, longs[frames++ % longs.length]!),
            ),
            ping,
          ]),
        ]);
        const reader = new ZmtpReader();
        for (let at = 0, i = 0; at < all.length; i += 1) {
          const end = Math.min(all.length, at + 1 + cuts[i % cuts.length]!);
          reader.push(all.subarray(at, end));
          at = end;
        }
        expect(reader.peerType).toBe("DEALER");
        expect(reader.messages.map((parts) => parts.map((part) => [...part]))).toEqual(
          messages.map((parts) => parts.map((part) => [...part])),
        );
      },
    ),
  );
});

it("noise after any beginning is an error of its own kind, or waits for more", () => {
  fc.assert(
    fc.property(fc.nat(hello.length), fc.uint8Array({ maxLength: 300 }), (from, noise) => {
      try {
        new ZmtpReader().push(Buffer.concat([hello.subarray(0, from), noise]));
      } catch (error) {
        expect(error).toBeInstanceOf(ZmtpError);
      }
    }),
    { numRuns: 2_000 },
  );
});

const version2 = greeting();
version2[10] = 2;
const curve = greeting();
curve.write("CURVE", 12);
const tooLong = frame(Buffer.alloc(zmtpFrameBytesMax + 1), false, true);
const parts = Array.from({ length: zmtpPartsMax + 1 }, () => frame(Buffer.from("x"), true, false));
const endless = Buffer.alloc(9, 0xff);
endless[0] = 2;

describe("turned away, before it has cost anything", () => {
  it.each([
    ["HTTP", Buffer.from("GET / HTTP/1.1\r\n\r\n"), "does not speak ZeroMQ"],
    ["an older version", version2, "older"],
    ["another mechanism", curve, "security mechanism"],
    [
      "a message before the handshake",
      Buffer.concat([greeting(), frame(Buffer.alloc(1), false, false)]),
      "before the handshake",
    ],
    ["another command", Buffer.concat([greeting(), ping]), "READY"],
    ["a refusal", Buffer.concat([greeting(), Buffer.from("\x04\x06\x05ERROR")]), "rejected"],
    [
      "a handshake that lies about its lengths",
      Buffer.concat([greeting(), Buffer.from("\x04\x0c\x05READY\x0bSocke")]),
      "malformed",
    ],
    [
      "a handshake without a type",
      Buffer.concat([greeting(), Buffer.from("\x04\x06\x05READY")]),
      "no socket type",
    ],
    ["a frame that is too long", Buffer.concat([hello, tooLong.subarray(0, 9)]), "too large"],
    ["a frame without end", Buffer.concat([hello, endless]), "too large"],
    ["a message of too many parts", Buffer.concat([hello, ...parts]), "too many parts"],
    ["flags of no frame", Buffer.concat([hello, Buffer.from([8, 0])]), "flags"],
  ])("%s", (_, bytes, words) => {
    expect(() => new ZmtpReader().push(bytes)).toThrow(words);
    // One byte at a time makes no difference.
    const reader = new ZmtpReader();
    expect(() => {
      for (const byte of bytes) reader.push(Buffer.from([byte]));
    }).toThrow(words);
  });
});

it("parts that are bounded one by one are bounded together, too", () => {
  const parts = Array.from({ length: 3 }, () => Buffer.alloc(4_000));
  expect(() => new ZmtpReader().push(Buffer.concat([hello, frames(parts)]))).toThrow(
    "a message is too large",
  );
});

it("a large frame in small pieces is joined once, with what follows it", () => {
  const parts = [Buffer.from("topic"), Buffer.alloc(3_000_000, 7), Buffer.from("end")];
  const all = Buffer.concat([hello, frames(parts), frames([Buffer.from("next")])]);
  const reader = new ZmtpReader(4_000_000);
  // Joined with each piece it would be 45 GB of copies, and the test would not end in time.
  for (let at = 0; at < all.length; at += 100) reader.push(all.subarray(at, at + 100));
  const lengths = reader.messages.map((message) => message.map(({ length }) => length));
  expect(lengths).toEqual([[5, 3_000_000, 3], [4]]);
});
