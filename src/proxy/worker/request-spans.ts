/**
 * The spans of a request that has ended: the request itself, its steps, each try of each leg, the KV transfer. Names of
 * attributes are OpenTelemetry's (HTTP and GenAI), vLLM's for latencies, and `global_proxy.…` for what only a proxy
 * has.
 */
import { isGenerating } from "../../dialects/endpoints/endpoint.ts";
import { endpointOf } from "../../dialects/endpoints/find-endpoint.ts";
import { type SpanAttributes, type SpanData, spanKinds } from "../../observe/traces/span.ts";
import type { Decision } from "../../pool/engine-snapshot.ts";
import { legNames } from "../../scoreboard/leg-counts.ts";
import { hasFailed } from "../context/has-failed.ts";
import { transferMs } from "../context/leg-times.ts";
import { type LegRecord, triesOf } from "../context/legs.ts";
import type { RequestContext } from "../context/request-context.ts";
import type { RequestTrace } from "../context/request-trace.ts";
import { tokenCounts } from "../context/token-counts.ts";
import { shownModel } from "../routing/shown-text.ts";
import { builtIn } from "../routing/variables.ts";

/** By the names of endpoints. */
const operations: Readonly<Record<string, string>> = {
  "chat completions": "chat",
  completions: "text_completion",
};

export function spansOf(context: RequestContext, trace: RequestTrace): SpanData[] {
  const { clock } = context.sources;
  /** From the monotonic clock to the time of day. */
  const shiftMs = clock.wallMs() - clock.nowMs();
  const { traceId, rootId } = trace;
  const child = (
    name: string,
    startMs: number,
    endMs: number,
    more: Partial<SpanData> = {},
  ): SpanData => ({
    traceId,
    spanId: trace.newId(),
    parentId: rootId,
    name,
    kind: spanKinds.internal,
    startMs: startMs + shiftMs,
    endMs: Math.max(startMs, endMs) + shiftMs,
    attributes: {},
    error: undefined,
    ...more,
  });
  const spans: SpanData[] = [
    child(`${context.head.method} ${context.route}`.trim(), context.startMs, context.endMs, {
      spanId: rootId,
      parentId: trace.parentId,
      kind: spanKinds.server,
      attributes: requestAttributes(context),
      error: hasFailed(context) ? context.outcome?.code : undefined,
    }),
  ];
  for (const { name, startMs, endMs } of trace.steps) spans.push(child(name, startMs, endMs));
  const decisions = context.explanation?.decisions ?? [];
  for (const leg of legNames) {
    const own = decisions.filter((decision) => decision.leg === leg);
    triesOf(context, leg).forEach((record, index) => {
      const endMs = record.endMs < 0 ? context.endMs : record.endMs;
      spans.push(
        child(leg, record.sentMs, endMs, {
          ...(record.spanId !== undefined && { spanId: record.spanId }),
          kind: spanKinds.client,
          attributes: legAttributes(record, index, own[index]),
          error: record.status >= 400 || record.status === 0 ? errorOf(record) : undefined,
        }),
      );
    });
  }
  const waitMs = transferMs(context);
  const { firstByteMs } = context;
  if (waitMs >= 0) spans.push(child("kv_transfer", firstByteMs - waitMs, firstByteMs));
  return spans;
}

const errorOf = ({ status }: LegRecord) => (status === 0 ? "cancelled" : String(status));
const seconds = (ms: number) => ms / 1_000;

function requestAttributes(context: RequestContext): SpanAttributes {
  const { head, status, outcome, startMs, endMs, firstByteMs, heldMs } = context;
  const tokens = tokenCounts(context);
  return {
    "http.request.method": head.method,
    "http.route": context.route || undefined,
    "http.response.status_code": status,
    "client.address": builtIn("remote_addr")!(context),
    "gen_ai.operation.name": operationOf(context),
    "gen_ai.request.model": shownModel(context),
    "gen_ai.request.id": context.requestId || undefined,
    "gen_ai.usage.input_tokens": known(tokens.prompt),
    "gen_ai.usage.cache_read.input_tokens": known(tokens.cached),
    "gen_ai.usage.output_tokens": known(tokens.output),
    "gen_ai.latency.time_to_first_token":
      firstByteMs < 0 ? undefined : seconds(firstByteMs - startMs),
    "gen_ai.latency.time_in_queue": heldMs < 0 ? undefined : seconds(heldMs),
    "gen_ai.latency.e2e": seconds(endMs - startMs),
    "global_proxy.tenant": context.tenant?.name || undefined,
    "global_proxy.outcome": outcome?.code,
    "global_proxy.fell_back": context.fellBack || undefined,
    "global_proxy.resumes": context.resumes || undefined,
    "error.type": hasFailed(context) ? outcome?.code : undefined,
  };
}

/** Undefined = nothing is generated. */
function operationOf({ path }: RequestContext): string | undefined {
  const endpoint = endpointOf(path);
  if (endpoint === undefined || !isGenerating(endpoint)) return undefined;
  return operations[endpoint.name] ?? endpoint.name;
}

function legAttributes(
  record: LegRecord,
  index: number,
  decision: Decision | undefined,
): SpanAttributes {
  const { address, status, sentMs, headMs, connectedMs } = record;
  const port = portAtEnd.exec(address)?.[1];
  const chosen = decision?.engines.find(({ engine }) => engine === decision.chosen);
  return {
    "server.address": address.replace(portAtEnd, ""),
    "server.port": port === undefined ? undefined : Number(port),
    "http.response.status_code": status > 0 ? status : undefined,
    "http.request.resend_count": index > 0 ? index : undefined,
    "global_proxy.connect_ms": connectedMs < 0 ? undefined : connectedMs - sentMs,
    "global_proxy.head_ms": headMs < 0 ? undefined : headMs - sentMs,
    "global_proxy.pool": decision?.pool,
    "global_proxy.policy": decision?.policy,
    "global_proxy.engine": decision?.chosen,
    "global_proxy.pool_size": decision?.poolSize,
    "global_proxy.score": chosen?.score,
    // Those that came closest, with what each was judged by.
    "global_proxy.candidates": decision && JSON.stringify(decision.engines),
  };
}

const portAtEnd = /:(\d+)$/;
const known = (count: number) => (count < 0 ? undefined : count);
