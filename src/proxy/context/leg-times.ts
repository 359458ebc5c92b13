/** What the times of a request's legs say of it, for metrics, logs and traces. */
import type { LegRecord } from "./legs.ts";
import type { RequestContext } from "./request-context.ts";

/** The prefill that is done and has succeeded; undefined = there is none. */
export function succeededPrefill({ prefills }: RequestContext): LegRecord | undefined {
  const prefill = prefills.at(-1);
  const { endMs = -1, status = 0 } = prefill ?? {};
  return endMs >= 0 && status >= 200 && status < 300 ? prefill : undefined;
}

/**
 * From the end of the prefill to the first byte of a streamed response, in ms: the KV transfer and decode's first step;
 * -1 = it does not show.
 */
export function transferMs(context: RequestContext): number {
  const { decodes, firstByteMs, meter } = context;
  const prefill = succeededPrefill(context);
  const isStream = meter !== undefined && meter.events > 0;
  if (prefill === undefined || !isStream || decodes.length === 0) return -1;
  return firstByteMs >= prefill.endMs ? firstByteMs - prefill.endMs : -1;
}
