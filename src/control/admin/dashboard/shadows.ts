/** What second policies would have done, as far as the dashboard says it. */
import type { ShadowReport } from "../../../pool/shadow.ts";
import type { ShadowVerdict } from "./messages.ts";

export function shadowVerdict(report: ShadowReport): ShadowVerdict {
  const { pool, policy, shadow, picks, differed, promptTokens, cachedTokens, prefillMs, fault } =
    report;
  const share = (tokens: number) => (promptTokens > 0 ? tokens / promptTokens : 0);
  return {
    ...{ pool, policy, shadow, picks, differed, prefillMs },
    cachedShare: { real: share(cachedTokens.real), shadow: share(cachedTokens.shadow) },
    ...(fault !== undefined && { fault }),
  };
}
