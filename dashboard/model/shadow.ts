/** What a second policy's record says, in words. */
import type { ShadowVerdict } from "../../src/control/admin/dashboard/messages.ts";
import { countText, percentText } from "./words.ts";

/** So few requests say nothing. */
const picksMin = 100;
/** A difference of the prefill work that is worth a word. */
const worthShare = 0.03;

export function shadowText(report: ShadowVerdict): string {
  const { picks, differed, policy, shadow, prefillMs, cachedShare, fault } = report;
  if (fault !== undefined) return `${shadow} is switched off: ${fault}`;
  if (picks === 0) return `${shadow} has followed no request yet.`;
  const elsewhere = `${shadow} would have sent ${percentText(differed / picks)} of ${countText(picks, "request")} elsewhere`;
  if (picks < picksMin) return `${elsewhere}; too few to judge.`;
  const cached = `${percentText(cachedShare.shadow)} of prompt tokens cached in place of ${percentText(cachedShare.real)}`;
  const change = prefillMs.real > 0 ? prefillMs.shadow / prefillMs.real - 1 : 0;
  const work = `${percentText(Math.abs(change))} ${change < 0 ? "less" : "more"} prefill work`;
  const verdict =
    change <= -worthShare
      ? `${shadow} looks better`
      : change >= worthShare
        ? `keep ${policy}`
        : "there is little between them";
  return `${elsewhere}: ${cached}, ${work}. By that, ${verdict}; waiting is not in it.`;
}
