/** What a prefill engine reports of the prompt: how many tokens it has, and how many of them were cached. */
import { promptUsageOf } from "../../../dialects/shared/prompt-usage.ts";
import type { Admission } from "../../admission/admission.ts";
import type { Targets } from "../legs/targets.ts";

/** The prefill is done. Its response is read only if somebody learns from it. */
export function learnFromPrefill(
  response: Buffer,
  promptBytes: number,
  targets: Targets,
  admission: Admission | undefined,
): void {
  const isForQueue = admission?.learnsUsage ?? false;
  const prefill = targets.pool("prefill");
  if (!isForQueue && !prefill?.usesBlocks) {
    admission?.prefillDone();
    return;
  }
  const usage = promptUsageOf(response);
  admission?.prefillDone(usage);
  const { promptTokens } = usage;
  if (promptTokens === undefined) return;
  // If the queue has learned from it, the pool that it shares with this worker has, too.
  if (!isForQueue) prefill?.ratio.observe(promptBytes, promptTokens);
  // Both pools serve one model.
  targets.pool("decode")?.ratio.observe(promptBytes, promptTokens);
}
