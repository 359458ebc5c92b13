/**
 * Least summed score of the requests in flight: vllm-ascend's `load_balance_proxy_server_example.py`
 * (`examples/disaggregated_prefill_v1`), first in the configuration's order among equals. The score of a prefill is
 * `bytes / 4 × 0.0345 + 120.0745`, that of a decode its bytes.
 *
 * There a prefill's priority also has 0.3 × the scores of prompts whose KV cache has not left the engine. Here a
 * prefill's lease ends when the prefill does, so what is in flight counts on both sides alike and the factor changes no
 * order.
 */

import { definePolicy } from "./shared/define-policy.ts";
import { choice, type ValuesOf } from "./shared/options.ts";
import type { Candidates, Policy, PolicyDeps } from "./shared/policy.ts";

const options = {
  role: choice(["prefill", "decode"], {
    default: "prefill",
    about: "Which score: `bytes / 4 × 0.0345 + 120.0745` for prefill, the bytes for decode.",
  }),
};

type Options = ValuesOf<typeof options>;

export const ascendHeap = definePolicy({
  name: "ascend_heap",
  summary: "Least summed score of the requests in flight.",
  when: "comparing with vllm-ascend's proxy",
  source: "vllm-ascend",
  notes:
    "After `examples/disaggregated_prefill_v1/load_balance_proxy_server_example.py`. A " +
    "prefill scores `bytes / 4 × 0.0345 + 120.0745`, a decode its bytes. The engine with the " +
    "least sum takes the next request, the first in the configuration among equals. There " +
    "0.3 × the scores of prompts whose KV cache still waits to be fetched is added; here a " +
    "prefill's lease ends with the prefill. A decode pool needs `role: decode`.",
  options,
  create,
});

const scores = {
  prefill: { perByte: 0.0345 / 4, perRequest: 120.0745 },
  decode: { perByte: 1, perRequest: 0 },
};

function create({ pool }: PolicyDeps, options: Options): Policy {
  const { board, slots, weights } = pool;
  const { perByte, perRequest } = scores[options.role];
  return {
    score(engine: number): number {
      const slot = slots[engine]!;
      const load = perByte * board.promptBytes(slot) + perRequest * board.inFlight(slot);
      return load / weights[engine]!;
    },

    pick({ count, engines }: Candidates): number {
      let best = engines[0]!;
      let least = Number.POSITIVE_INFINITY;
      for (let i = 0; i < count; i += 1) {
        const engine = engines[i]!;
        const slot = slots[engine]!;
        const score = perByte * board.promptBytes(slot) + perRequest * board.inFlight(slot);
        if (score / weights[engine]! >= least) continue;
        least = score / weights[engine]!;
        best = engine;
      }
      return best;
    },
  };
}
