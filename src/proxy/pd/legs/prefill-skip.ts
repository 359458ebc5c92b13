/** Whether a prompt needs no prefill engine: decode would have too few of its tokens to compute. */
import { usualBytesPerToken } from "../../../estimates/token-ratio.ts";
import { promptBlockBytes } from "../../../limits.ts";
import type { CachedEngine } from "../../../pool/pool.ts";
import { holdersIn } from "../../context/engine-model.ts";
import type { ForwardedRequest } from "../../upstream/forwarded-request.ts";
import type { PickRequests } from "./pick-requests.ts";
import type { Targets } from "./targets.ts";

/** The prompt as a whole is short, or this decode engine has most of it cached. */
export type PrefillSkip = "short-prompt" | CachedEngine;

/**
 * Why the prefill is skipped; undefined = it is not.
 * @param minTokens fewer tokens than this are computed by decode; 0 = none are
 */
export function prefillSkip(
  { context, promptBytes, worker }: ForwardedRequest,
  { picks, targets }: { readonly picks: PickRequests; readonly targets: Targets },
  minTokens: number,
): PrefillSkip | undefined {
  if (minTokens === 0) return undefined;
  const minBytes = minTokens * usualBytesPerToken;
  if (promptBytes < minBytes) return "short-prompt";
  const pool = targets.pool("decode");
  if (!pool?.knowsCaches) return undefined;
  const best = pool.bestCached(
    picks.promptBlocks(),
    worker.clock.wallMs(),
    holdersIn(pool, context),
  );
  if (best === undefined) return undefined;
  return promptBytes - best.cachedBlocks * promptBlockBytes < minBytes ? best : undefined;
}
