/** The client's body as one leg is to have it, by the dialect's edits. */
import { Edits } from "../body/splice.ts";
import type { TopLevel } from "../body/top-level.ts";
import type { Dialect, Engines, Handover, LegName } from "../dialects/dialect.ts";
import type { Embeddings } from "../dialects/vllm-encoder.ts";

/**
 * Valid until the next call.
 * @param handover undefined = the leg is alone
 * @param embeddings undefined = the route has no encode
 */
export function legBody(
  members: TopLevel,
  dialect: Dialect,
  handover: Handover | undefined,
  leg: LegName,
  engines: Engines,
  embeddings: Embeddings | undefined,
): Edits {
  edits.begin(members);
  if (handover === undefined) dialect.strip(members, edits);
  else if (leg === "prefill") handover.prefillEdits(edits, engines);
  else {
    handover.decodeEdits(edits, engines);
    dialect.merge?.decodeEdits?.(members, edits);
  }
  embeddings?.edit(members, edits);
  return edits;
}

/** Shared by all requests of the worker: edits are made and written within one call. */
const edits = new Edits();
