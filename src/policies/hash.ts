/**
 * By a key of the request, as nginx's `hash`. Plain: CRC-32 of the key over the weights, hashed again when that engine
 * is not available. Consistent: a ketama ring.
 */

import { roundRobin } from "./round-robin.ts";
import { crc32Text } from "./shared/crc32.ts";
import { definePolicy } from "./shared/define-policy.ts";
import { HashRing } from "./shared/hash-ring.ts";
import { flag, template, type ValuesOf } from "./shared/options.ts";
import type { Candidates, PickRequest, Policy, PolicyDeps } from "./shared/policy.ts";

const options = {
  key: template({ about: "Template of the key, such as `$http_x_session_id`." }),
  consistent: flag({ default: false, about: "Ketama ring: few keys move when engines change." }),
};

type Options = ValuesOf<typeof options>;

export const hash = definePolicy({
  name: "hash",
  summary: "By a key of the request.",
  when: "an nginx.conf has it",
  source: "nginx",
  options,
  weights: ({ consistent: isRing }) => (isRing ? "rough" : "exact"),
  create,
});

const rehashesMax = 20;

function create(deps: PolicyDeps, options: Options): Policy {
  return options.consistent ? consistent(deps) : plain(deps);
}

function plain(deps: PolicyDeps): Policy {
  const { pool } = deps;
  const turn = roundRobin.create(deps, {});
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
  const turn = roundRobin.create(deps, {});
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
