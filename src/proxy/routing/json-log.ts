/** The access log's built-in JSON format: one object a line. What is not known of a request is left out. */
import { succeededPrefill, transferMs } from "../context/leg-times.ts";
import type { LegRecord } from "../context/legs.ts";
import type { RequestContext } from "../context/request-context.ts";
import { tokenCounts } from "../context/token-counts.ts";
import type { LineSink, RequestLog } from "./access-log.ts";
import { shownModel, shownText as text } from "./shown-text.ts";
import { builtIn } from "./variables.ts";

export class JsonLog implements RequestLog {
  readonly #sink: LineSink;

  constructor(sink: LineSink) {
    this.#sink = sink;
  }

  write(context: RequestContext): void {
    this.#sink.write(`${JSON.stringify(membersOf(context))}\n`);
  }
}

/** In the order in which they are written. */
function membersOf(context: RequestContext): object {
  const { head, startMs, endMs, firstByteMs, heldMs, prefills, decodes, sources } = context;
  const { clock } = sources;
  const tokens = tokenCounts(context);
  const prefill = succeededPrefill(context);
  return {
    time: new Date(clock.wallMs() - clock.nowMs() + startMs).toISOString(),
    trace_id: context.trace?.traceId,
    request_id: text(context.requestId || head.fields.get("x-request-id")),
    client: text(builtIn("remote_addr")!(context)),
    method: text(head.method),
    path: text(head.target),
    status: context.status,
    outcome: context.outcome?.code,
    route: text(context.route),
    model: shownModel(context),
    tenant: context.tenant?.name || undefined,
    encode_engine: addressOf(context.encodes),
    prefill_engine: addressOf(prefills),
    decode_engine: addressOf(decodes),
    retries: Math.max(0, prefills.length - 1) + Math.max(0, decodes.length - 1),
    fell_back: context.fellBack || undefined,
    resumes: context.resumes || undefined,
    queue_ms: heldMs < 0 ? undefined : rounded(heldMs),
    prefill_ms: prefill && rounded(prefill.endMs - prefill.sentMs),
    transfer_ms: known(rounded(transferMs(context))),
    ttft_ms: firstByteMs < 0 ? undefined : rounded(firstByteMs - startMs),
    duration_ms: rounded((endMs < 0 ? clock.nowMs() : endMs) - startMs),
    prompt_tokens: known(tokens.prompt),
    cached_tokens: known(tokens.cached),
    output_tokens: known(tokens.output),
    output_tokens_from: tokens.output < 0 ? undefined : tokens.isUsage ? "usage" : "events",
    request_bytes: context.requestBytes,
    response_bytes: context.bytesSent,
    user_agent: text(head.fields.get("user-agent")),
  };
}

/** Of the last try. */
const addressOf = (legs: readonly LegRecord[]) => legs.at(-1)?.address;
const known = (count: number) => (count < 0 ? undefined : count);
const rounded = (ms: number) => Math.round(ms * 1_000) / 1_000;
