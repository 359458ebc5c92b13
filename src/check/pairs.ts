/** Which prefill and decode engines are tried together. */
import { checkedPairsMax } from "./limits.ts";

/**
 * All pairs if they are few; else each engine is in one at least, and then as many more as there is room for.
 */
export function choosePairs<Engine>(
  prefills: readonly Engine[],
  decodes: readonly Engine[],
): [prefill: Engine, decode: Engine][] {
  const [p, d] = [prefills.length, decodes.length];
  if (p === 0 || d === 0) return [];
  const longest = Math.max(p, d);
  const count = Math.min(p * d, Math.max(checkedPairsMax, longest));
  const pairs: [Engine, Engine][] = [];
  // Round by round: in round r, prefill i meets decode i + r, so that no pair comes twice.
  const seen = new Set<number>();
  for (let round = 0; pairs.length < count; round += 1) {
    for (let i = 0; i < longest && pairs.length < count; i += 1) {
      const [prefill, decode] = p >= d ? [i, (i + round) % d] : [(i + round) % p, i];
      if (seen.has(prefill * d + decode)) continue;
      seen.add(prefill * d + decode);
      pairs.push([prefills[prefill]!, decodes[decode]!]);
    }
  }
  return pairs;
}
