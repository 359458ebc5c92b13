/**
 * The less loaded of two that are drawn, each as likely: SMG's `power_of_two` (sgl-model-gateway's `policies/power_of_two.rs`). Its load is
 * what engines report in tokens and, where one of the two reports none, requests in flight; the proxy's own count of both never lacks.
 */
import type { Candidates, Policy, PolicyDeps } from "./shared/policy.ts";

export function powerOfTwo(
  { pool, random }: PolicyDeps,
  options: { by: "bytes" | "requests" },
): Policy {
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
