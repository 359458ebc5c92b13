/** What engines publish of their caches: any bytes are read to an end, within bounds, and never thrown on. */
import { expect } from "vitest";
import { readKvBatch } from "../../../src/kv-events/batch.ts";
import { ZmtpError, ZmtpReader } from "../../../src/transport/zmtp/reader.ts";
import { parts, type Target } from "../fuzzer.ts";

const byte = (...bytes: number[]) => Buffer.from(bytes);

export const msgpack: Target = {
  name: "msgpack",
  words: [
    byte(0xc0),
    byte(0x90),
    byte(0x93),
    byte(0xdc, 0xff, 0xff),
    byte(0xdd, 0xff, 0xff, 0xff, 0xff),
    byte(0x80),
    byte(0xdf, 0xff, 0xff, 0xff, 0xff),
    byte(0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
    byte(0xd3, 0x80, 0, 0, 0, 0, 0, 0, 0),
    byte(0xcb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0),
    byte(0xc7, 0xff, 0x01),
    byte(0xc4, 0x04, 1, 2, 3, 4),
    "\xabBlockStored",
    "\xacBlockRemoved",
    "\xb0AllBlocksCleared",
    "\xa4type",
    "\xa9__proto__",
  ],
  check(input) {
    const batch = readKvBatch(input);
    if (typeof batch === "string") {
      expect(batch).not.toBe("");
      return;
    }
    expect(typeof batch.ts).toBe("number");
    expect(Array.isArray(batch.events)).toBe(true);
  },
};

function readZmtp(pieces: readonly Buffer[]): { messages: string[]; failed: boolean } {
  const reader = new ZmtpReader(4_096);
  let failed = false;
  try {
    for (const piece of pieces) reader.push(piece);
  } catch (error) {
    // Anything else would end the proxy.
    if (!(error instanceof ZmtpError)) throw error;
    failed = true;
  }
  const messages = reader.messages.map((message) =>
    message.map((part) => part.toString("hex")).join(),
  );
  return { messages, failed };
}

export const zmtp: Target = {
  name: "zmtp",
  words: [
    byte(0),
    byte(1),
    byte(2),
    byte(4),
    byte(6),
    byte(0xff),
    byte(2, 0, 0, 0, 0, 0, 0, 0xff, 0xff),
    byte(2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
    "\x05READY",
    "\x05ERROR",
    "\x0bSocket-Type\0\0\0\x03PUB",
    "NULL",
  ],
  check(input, random) {
    const whole = readZmtp([input]);
    const cut = readZmtp(parts(input, random));
    expect(cut).toEqual(whole);
  },
};
