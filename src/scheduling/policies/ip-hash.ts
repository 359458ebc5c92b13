/** By the client's address as nginx's ip_hash: the first three bytes of IPv4, all of IPv6; rehashed when an engine is unfit. */
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

function addressBytes(address: string): number[] {
  const v4 = /^(?:::ffff:)?(\d+)\.(\d+)\.(\d+)\.\d+$/.exec(address);
  if (v4) return [Number(v4[1]), Number(v4[2]), Number(v4[3])];
  return [...Buffer.from(address, "latin1")];
}
