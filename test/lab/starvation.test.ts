/**
 * The bound that `queue/prefill-queue.ts` states holds in whole replays, also under more load than the fleet can take.
 */
import { expect, it } from "vitest";
import type { Outcome } from "../../src/lab/model/fleet.ts";
import { dense70b, prefillMs } from "../../src/lab/profile.ts";
import { replay } from "../../src/lab/replay.ts";
import { syntheticTrace } from "../../src/lab/traces/synthetic.ts";
import { seededRandom } from "../../src/simulated-engine/model/prng.ts";

/** What the default of `predictive` takes off the predicted ms for each ms of waiting. */
const agingFactor = 0.1;

/**
 * The bound goes by what was predicted, which is a little more than what it takes: the profile's shape is not quite
 * that of `PrefillCost`.
 */
const foreseen = 1.03;

/** After the prefill there is next to nothing, so that the first token tells when it has ended. */
const profile = {
  ...dense70b,
  transferBaseMs: 0,
  transferTokenMs: 0,
  stepBaseMs: 1e-3,
  stepRequestMs: 0,
  stepKvTokenMs: 0,
  kvTokens: 1e12,
};

function outcomesOf(prefillPolicy: string, chats: number, prefill = 2, seed = 3): Outcome[] {
  return replay({
    trace: syntheticTrace(`poisson:4,requests=1500,chats=${chats},output=1`, seed),
    prefillPolicy,
    prefill,
    decode: 1,
    profile,
    decodePolicy: "least_bytes",
    scale: 1,
    cacheBlocks: 2_000,
    noise: 0,
    slowest: 1,
    random: seededRandom(1),
  });
}

/** How often a prompt began before one that had come longer before it than the bound of that one. */
function overtakenPastBound(outcomes: readonly Outcome[]): number {
  const begun = outcomes.map(({ request, cachedTokens, firstTokenMs }) => {
    return (
      firstTokenMs - prefillMs(profile, request.inputTokens - cachedTokens, request.inputTokens)
    );
  });
  let count = 0;
  outcomes.forEach(({ request, arrivedMs }, i) => {
    const { inputTokens } = request;
    const boundMs = (foreseen * prefillMs(profile, inputTokens, inputTokens)) / agingFactor;
    for (let j = i + 1; j < outcomes.length; j += 1) {
      const isPast = outcomes[j]!.arrivedMs > arrivedMs + boundMs;
      if (isPast && begun[j]! < begun[i]! - 1) count += 1;
    }
  });
  return count;
}

it.each([0, 0.5, 0.9])("no prompt is overtaken past its bound; share of chats %f", (chats) => {
  for (const seed of [3, 4, 5, 6]) {
    for (const prefill of [1, 2, 3]) {
      expect(overtakenPastBound(outcomesOf("predictive", chats, prefill, seed))).toBe(0);
    }
  }
});

it("without aging there would be many", () => {
  const outcomes = outcomesOf("predictive?aging_factor=0.001", 0.5);
  expect(overtakenPastBound(outcomes)).toBeGreaterThan(100);
});
