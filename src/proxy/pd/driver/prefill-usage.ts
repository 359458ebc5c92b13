/** What a prefill engine reports of the prompt: how many tokens it has, and how many of them were cached. */
import { type PromptUsage, promptUsageOf } from "../../../dialects/shared/prompt-usage.ts";
import type { Placement } from "../../../pool/pool.ts";
import type { Admission } from "../../admission/admission.ts";
import type { RequestContext } from "../../context/request-context.ts";
import type { Targets } from "../legs/targets.ts";

interface PrefilledRequest {
  readonly context: RequestContext;
  readonly promptBytes: number;
}

/**
 * The prefill is done. Its response is read only if somebody learns from it.
 * @param placement of the prefill
 */
export function learnFromPrefill(
  response: Buffer,
  { context, promptBytes }: PrefilledRequest,
  placement: Placement,
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
  count(context, placement, promptTokens, usage);
}

/** For metrics: what the engine has said, and what the pool had predicted when it was picked. */
function count(
  context: RequestContext,
  { pool, engine, lease: { bytes, uncachedBytes } }: Placement,
  promptTokens: number,
  { cachedTokens = 0 }: PromptUsage,
): void {
  context.promptTokens = promptTokens;
  context.cachedTokens = cachedTokens;
  const cachedShare = bytes > 0 ? 1 - uncachedBytes / bytes : 0;
  const predicted = Math.round(promptTokens * cachedShare);
  pool.board.legs.prefilled(engine.slot, promptTokens, cachedTokens, predicted);
}
