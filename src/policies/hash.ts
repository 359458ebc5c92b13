/**
 * By a key of the request. Plain: CRC-32 of the key over the weights, rehashed when an engine is unfit. Consistent: a ketama
 * ring. Both as nginx's `hash`.
 */

import { roundRobin } from "./round-robin.ts";
import { crc32Text } from "./shared/crc32.ts";
import { HashRing } from "./shared/hash-ring.ts";
import type { Candidates, PickRequest, Policy, PolicyDeps } from "./shared/policy.ts";

const rehashesMax = 20;

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
        sum = (sum + ((crc32Text(key) >>> 16) & 0x7fff)) >>> 0;
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
  const turn = roundRobin(deps);
  const ring = new HashRing(deps.pool);
  return {
    pick(candidates: Candidates, request: PickRequest): number {
      if (request.key === "") return turn.pick(candidates, request);
      const point = ring.point(request.key);
      for (let steps = 0; steps < ring.size; steps += 1) {
        const engine = ring.engine(point + steps);
        if (candidates.has(engine)) return engine;
      }
      return candidates.engines[0]!;
    },
  };
}
