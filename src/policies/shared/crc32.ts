/** CRC-32 (IEEE), as nginx uses it for `hash`. `zlib.crc32` needs Node 22.2. */

const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value >>> 0;
});

export function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ table[(crc ^ byte) & 0xff]!;
  return (crc ^ 0xffffffff) >>> 0;
}

/** Of a text's UTF-8. */
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
