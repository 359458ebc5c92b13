/** Reads a list of token ids out of an answer, without a value for each that JSON's parser would make: 100,000 tokens take about a ms. */
import { KeyName } from "../json/key-name.ts";
import { scanTopLevel, TopLevel } from "../json/top-level.ts";

const tokens = new KeyName("tokens");
const scanned = new TopLevel();

const [open, close, comma] = [0x5b, 0x5d, 0x2c];

/** Of `/tokenize`: the member `tokens`, a list of whole numbers below 2^32, of which 32 bits are kept; undefined = it has none. */
export function tokenIdsIn(response: Buffer): Int32Array | undefined {
  if (scanTopLevel(response, 0, response.length, scanned) !== undefined) return undefined;
  const at = scanned.lastIndexOf(tokens);
  const ids = at < 0 ? undefined : listOf(response, scanned.valueStart(at), scanned.valueEnd(at));
  scanned.clear();
  return ids;
}

/** @param end behind the bracket that closes the list */
function listOf(bytes: Buffer, start: number, end: number): Int32Array | undefined {
  if (bytes[start] !== open || bytes[end - 1] !== close) return undefined;
  // Each id has a byte of its own, and a comma or the bracket behind it.
  const ids = new Int32Array((end - start) >>> 1);
  let count = 0;
  let id = -1;
  for (let at = start + 1; at < end; at += 1) {
    const byte = bytes[at]!;
    const digit = byte - 0x30;
    if (digit >= 0 && digit <= 9) {
      id = Math.max(0, id) * 10 + digit;
      if (id > 0xffff_ffff) return undefined;
    } else if (byte === comma || byte === close) {
      if (id < 0) return undefined;
      ids[count] = id;
      count += 1;
      id = -1;
    } else if (byte > 0x20) return undefined;
  }
  return ids.slice(0, count);
}
