/**
 * By a key of the request. Plain: CRC-32 of the key over the weights, rehashed when an engine is unfit. Consistent: a ketama
 * ring of 160 points per weight, so that few keys move when engines come and go (both as nginx's `hash`).
 */
import { crc32 } from "../crc32.ts";
import type { Candidates, PickRequest, Policy, PolicyDeps } from "../policy.ts";
import { roundRobin } from "./round-robin.ts";

const rehashesMax = 20;
const pointsPerWeight = 160;

export function hash(deps: PolicyDeps, options: { consistent: boolean }): Policy {
  return options.consistent ? consistent(deps) : plain(deps);
}

function plain(deps: PolicyDeps): Policy {
  const { pool } = deps;
  const turn = roundRobin(deps);
  let totalWeight = 0;
  for (let i = 0; i < pool.size; i += 1) totalWeight += pool.weights[i]!;
  return {
    pick(candidates: Candidates, request: PickRequest): number {
      // Requests without a key would all go to one engine.
      if (request.key === "") return turn.pick(candidates, request);
      let sum = 0;
      for (let tries = 0; tries <= rehashesMax; tries += 1) {
        const key = tries === 0 ? request.key : `${tries}${request.key}`;
        sum = (sum + ((crc32(Buffer.from(key)) >>> 16) & 0x7fff)) >>> 0;
        let point = sum % totalWeight;
        for (let engine = 0; engine < pool.size; engine += 1) {
          point -= pool.weights[engine]!;
          if (point >= 0) continue;
          if (candidates.has(engine)) return engine;
          break;
        }
      }
      return turn.pick(candidates, request);
    },
  };
}

function consistent(deps: PolicyDeps): Policy {
  const { pool } = deps;
  const turn = roundRobin(deps);
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
  const ring = Uint32Array.from(points, (point) => point.at);
  return {
    pick(candidates: Candidates, request: PickRequest): number {
      if (request.key === "") return turn.pick(candidates, request);
      let at = lowerBound(ring, crc32(Buffer.from(request.key)));
      for (let steps = 0; steps < points.length; steps += 1) {
        const { engine } = points[at % points.length]!;
        if (candidates.has(engine)) return engine;
        at += 1;
      }
      return candidates.engines[0]!;
    },
  };
}

/** Host and port as nginx hashes them; a unix socket is its path alone. */
function splitAddress(address: string): string[] {
  if (address.startsWith("unix:")) return [address.slice("unix:".length)];
  const colon = address.lastIndexOf(":");
  return colon < 0 ? [address, ""] : [address.slice(0, colon), address.slice(colon + 1)];
}

/** Index of the first point at or after `value`. */
function lowerBound(ring: Uint32Array, value: number): number {
  let low = 0;
  let high = ring.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ring[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
