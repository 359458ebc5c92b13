/** By the client's address as nginx's ip_hash: the first three bytes of IPv4, all of IPv6; rehashed when an engine is unfit. */
import { isIPv6 } from "node:net";
import type { Candidates, PickRequest, Policy, PolicyDeps } from "../policy.ts";
import { roundRobin } from "./round-robin.ts";

/** nginx gives up after as many rehashes and takes the next in turn. */
const rehashesMax = 20;

export function ipHash(deps: PolicyDeps): Policy {
  const { pool } = deps;
  const turn = roundRobin(deps);
  let totalWeight = 0;
  for (let i = 0; i < pool.size; i += 1) totalWeight += pool.weights[i]!;

  function at(point: number): number {
    for (let engine = 0; engine < pool.size; engine += 1) {
      point -= pool.weights[engine]!;
      if (point < 0) return engine;
    }
    return pool.size - 1;
  }
  return {
    pick(candidates: Candidates, request: PickRequest): number {
      const key = addressBytes(request.clientAddress);
      let hash = 89;
      for (let tries = 0; tries <= rehashesMax; tries += 1) {
        for (const byte of key) hash = (hash * 113 + byte) % 6271;
        const engine = at(hash % totalWeight);
        if (candidates.has(engine)) return engine;
      }
      return turn.pick(candidates, request);
    },
  };
}

/** What nginx hashes; IPv4 mapped into IPv6 is IPv4 here, so that a client has one engine on either kind of listener. */
function addressBytes(address: string): Uint8Array {
  const v4 = /^(?:::ffff:)?(\d+)\.(\d+)\.(\d+)\.\d+$/i.exec(address);
  if (v4) return Uint8Array.of(Number(v4[1]), Number(v4[2]), Number(v4[3]));
  return isIPv6(address) ? ipv6Bytes(address) : noAddress;
}

/** Of clients on a unix socket. */
const noAddress = new Uint8Array(3);

/** Sixteen bytes of an address as the system writes it, whose zone does not count. */
function ipv6Bytes(address: string): Uint8Array {
  const [text = ""] = address.split("%");
  const [head = "", tail] = text.split("::");
  const groups = (part: string) => (part === "" ? [] : part.split(":"));
  const first = groups(head);
  const last = groups(tail ?? "");
  const zeros = new Array<string>(Math.max(0, 8 - first.length - last.length)).fill("0");
  const bytes = new Uint8Array(16);
  [...first, ...zeros, ...last].forEach((group, i) => {
    const value = Number.parseInt(group, 16);
    bytes[2 * i] = value >> 8;
    bytes[2 * i + 1] = value & 0xff;
  });
  return bytes;
}
