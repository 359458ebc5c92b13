/**
 * CRC-32 (IEEE), as nginx uses it for `hash`: that of zlib where the runtime has it (Node 20.15 and 22.2), else by a
 * table.
 */
import * as zlib from "node:zlib";

const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value >>> 0;
});

/** Undefined in runtimes that lack it, whatever their types say. */
const native: typeof zlib.crc32 | undefined = zlib.crc32;

export function crc32(bytes: Uint8Array): number {
  return native === undefined ? crc32ByTable(bytes) : native(bytes);
}

export function crc32ByTable(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ table[(crc ^ byte) & 0xff]!;
  return (crc ^ 0xffffffff) >>> 0;
}

/** The CRC-32 of a text in UTF-8. */
export function crc32Text(text: string): number {
  let crc = 0xffffffff;
  for (let i = 0; i < text.length; i += 1) {
    const unit = text.charCodeAt(i);
    // Keys are nearly always ASCII, which needs no buffer.
    if (unit > 0x7f) return crc32(Buffer.from(text));
    crc = (crc >>> 8) ^ table[(crc ^ unit) & 0xff]!;
  }
  return (crc ^ 0xffffffff) >>> 0;
}
