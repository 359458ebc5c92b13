/** The access log's built-in JSON format: one object a line. What is not known of a request is left out. */
import { maskText } from "../../config/values/secrets.ts";
import type { LegRecord } from "../context/legs.ts";
import type { RequestContext } from "../context/request-context.ts";
import { tokenCounts } from "../context/token-counts.ts";
import { type LineSink, type RequestLog, textOf } from "./access-log.ts";
import { bodyMember } from "./body-member.ts";
import { builtIn } from "./variables.ts";

/** Of texts that clients choose: targets and header values. */
const textCharsMax = 2_048;

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
  const prefill = prefills.at(-1);
  const tokens = tokenCounts(context);
  const prefilled = isPrefilled(prefill) ? prefill : undefined;
  const isStream = context.meter !== undefined && context.meter.events > 0;
  const transferred = isStream && decodes.length > 0 ? prefilled : undefined;
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
    model: modelOf(context),
    encode_engine: addressOf(context.encodes),
    prefill_engine: addressOf(prefills),
    decode_engine: addressOf(decodes),
    retries: Math.max(0, prefills.length - 1) + Math.max(0, decodes.length - 1),
    fell_back: context.fellBack || undefined,
    resumes: context.resumes || undefined,
    queue_ms: heldMs < 0 ? undefined : rounded(heldMs),
    prefill_ms: prefilled && rounded(prefilled.endMs - prefilled.sentMs),
    transfer_ms:
      transferred && firstByteMs >= transferred.endMs
        ? rounded(firstByteMs - transferred.endMs)
        : undefined,
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

/** Whether a prefill is done, and has succeeded. */
export function isPrefilled(leg: LegRecord | undefined): leg is LegRecord {
  return leg !== undefined && leg.endMs >= 0 && leg.status >= 200 && leg.status < 300;
}

/** Of the last try. */
const addressOf = (legs: readonly LegRecord[]) => legs.at(-1)?.address;
const known = (count: number) => (count < 0 ? undefined : count);
const rounded = (ms: number) => Math.round(ms * 1_000) / 1_000;

/** Bytes of a client, one per character, as text without what looks like a key; undefined = there are none. */
function text(bytes: string | undefined): string | undefined {
  if (bytes === undefined || bytes === "") return undefined;
  return maskText(textOf(bytes)).slice(0, textCharsMax);
}

/** The model that the request asks for; undefined = it names none. */
export function modelOf(context: RequestContext): string | undefined {
  const bytes = bodyMember(context, "model");
  if (bytes === "") return undefined;
  try {
    return text(String(JSON.parse(`"${textOf(bytes)}"`)));
  } catch {
    // No string, or bytes that are no JSON.
    return text(bytes);
  }
}
