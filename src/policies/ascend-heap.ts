/**
 * Least summed score of the requests in flight: vllm-ascend's `load_balance_proxy_server_example.py`
 * (`examples/disaggregated_prefill_v1`), first in the configuration's order among equals. Of a prefill the score is
 * `bytes / 4 × 0.0345 + 120.0745`, of a decode its bytes.
 *
 * There a prefill's priority also has 0.3 × the scores of prompts whose KV cache has not left the engine. Here a prefill's place is given
 * back when it ends, so what is in flight counts on both sides alike and the factor changes no order.
 */
import type { Candidates, Policy, PolicyDeps } from "./shared/policy.ts";

const scores = {
  prefill: { perByte: 0.0345 / 4, perRequest: 120.0745 },
  decode: { perByte: 1, perRequest: 0 },
};

export function ascendHeap({ pool }: PolicyDeps, options: { role: "prefill" | "decode" }): Policy {
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
