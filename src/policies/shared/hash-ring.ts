/**
 * A ketama ring as nginx's `hash … consistent` makes it: 160 points per weight, so that few keys move when engines come
 * and go.
 */
import { crc32, crc32Text } from "./crc32.ts";
import type { PoolView } from "./policy.ts";

const pointsPerWeight = 160;

export class HashRing {
  /** Places of the points, ascending, and the engine of each. */
  readonly #places: Uint32Array;
  readonly #engines: Int32Array;

  constructor(pool: PoolView) {
    const points: { at: number; engine: number }[] = [];
    for (let engine = 0; engine < pool.size; engine += 1) {
      const [host = "", port = ""] = splitAddress(pool.addresses[engine]!);
      const base = Buffer.from(`${host}\0${port}`);
      let previous = Buffer.alloc(4);
      for (let n = 0; n < pointsPerWeight * pool.weights[engine]!; n += 1) {
        const at = crc32(Buffer.concat([base, previous]));
        points.push({ at, engine });
        previous = Buffer.alloc(4);
        previous.writeUInt32LE(at);
      }
    }
    points.sort((a, b) => a.at - b.at);
    this.#places = Uint32Array.from(points, (point) => point.at);
    this.#engines = Int32Array.from(points, (point) => point.engine);
  }

  get size(): number {
    return this.#engines.length;
  }

  /** The engine of a point; points behind the last are the first ones again. */
  engine(point: number): number {
    return this.#engines[point % this.#engines.length]!;
  }

  /** The first point for a key. */
  point(key: string): number {
    const value = crc32Text(key);
    let low = 0;
    let high = this.#places.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#places[middle]! < value) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Host and port as nginx hashes them; a unix socket is its path alone. */
function splitAddress(address: string): string[] {
  if (address.startsWith("unix:")) return [address.slice("unix:".length)];
  const colon = address.lastIndexOf(":");
  return colon < 0 ? [address, ""] : [address.slice(0, colon), address.slice(colon + 1)];
}
