/**
 * The less loaded of two that are drawn, each as likely: SMG's `power_of_two` (sgl-model-gateway's
 * `policies/power_of_two.rs`).
 */

import { definePolicy } from "./shared/define-policy.ts";
import { choice, type ValuesOf } from "./shared/options.ts";
import type { Candidates, Policy, PolicyDeps } from "./shared/policy.ts";

const options = {
  by: choice(["bytes", "requests"], {
    default: "bytes",
    about: "The load: bytes of prompts in flight, or requests in flight.",
  }),
};

type Options = ValuesOf<typeof options>;

export const powerOfTwo = definePolicy({
  name: "power_of_two",
  summary: "The less loaded of two engines that are drawn.",
  when: "many proxies before the same engines",
  source: "SMG",
  notes:
    "After `power_of_two.rs` of sgl-model-gateway. Two different engines are drawn, each as " +
    "likely; the first is taken where their loads are equal. SMG compares the tokens that " +
    "engines report, or requests in flight where one of the two reports none. Here these are " +
    "`by: bytes` and `by: requests`, as the proxy counts them.",
  options,
  weights: "none",
  create,
});

function create({ pool, random }: PolicyDeps, options: Options): Policy {
  const { board, slots, weights } = pool;
  const load = (engine: number) =>
    (options.by === "bytes" ? board.promptBytes(slots[engine]!) : board.inFlight(slots[engine]!)) /
    weights[engine]!;
  return {
    pick({ count, engines }: Candidates): number {
      if (count === 1) return engines[0]!;
      const one = Math.floor(random() * count);
      const other = (one + 1 + Math.floor(random() * (count - 1))) % count;
      return load(engines[one]!) <= load(engines[other]!) ? engines[one]! : engines[other]!;
    },
  };
}
