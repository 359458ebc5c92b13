/**
 * By the client's address, as nginx's ip_hash: the first three bytes of IPv4, all of IPv6. Hashed again when that
 * engine is not available.
 */

import { isIPv6 } from "node:net";
import { roundRobin } from "./round-robin.ts";
import { definePolicy } from "./shared/define-policy.ts";
import type { Candidates, PickRequest, Policy, PolicyDeps } from "./shared/policy.ts";

export const ipHash = definePolicy({
  name: "ip_hash",
  summary: "By the client's address, as nginx hashes it.",
  when: "few clients, and no other way to know a session",
  source: "nginx",
  options: {},
  needs: { clientAddress: true },
  create,
});

/** nginx gives up after as many rehashes and takes the next in turn. */
const rehashesMax = 20;

function create(deps: PolicyDeps): Policy {
  const { pool } = deps;
  const turn = roundRobin.create(deps, {});
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

/**
 * What nginx hashes; IPv4 mapped into IPv6 is IPv4 here, so that a client has one engine on either kind of listener.
 */
function addressBytes(address: string): Uint8Array {
  const isMapped = address.startsWith("::ffff:") || address.startsWith("::FFFF:");
  if (readIpv4(address, isMapped ? 7 : 0)) return ipv4;
  return isIPv6(address) ? ipv6Bytes(address) : noAddress;
}

/** The first three numbers of an IPv4 address, read without a trace on the heap. */
const ipv4 = new Uint8Array(3);

function readIpv4(address: string, from: number): boolean {
  let dots = 0;
  let number = -1;
  for (let i = from; i < address.length; i += 1) {
    const code = address.charCodeAt(i);
    if (code >= 0x30 && code <= 0x39) number = Math.max(0, number) * 10 + code - 0x30;
    else if (code === 0x2e && number >= 0 && dots < 3) {
      ipv4[dots] = number;
      dots += 1;
      number = -1;
    } else return false;
  }
  return dots === 3 && number >= 0;
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
