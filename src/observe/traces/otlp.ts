/** The official OTLP exporter, over HTTP with protobuf. Loaded only where traces are on: it is large. */
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { resourceFromAttributes } from "@opentelemetry/resources";
import type { TracingConfig } from "../../config/schema/tracing.ts";
import type { SendSpans, SpanData } from "./span.ts";

type Readable = Parameters<OTLPTraceExporter["export"]>[0][number];

/** By OpenTelemetry's number. */
const errorStatus = 2;
/** Spans of one scope go together. */
const scope = { name: "global-proxy" };

export function openOtlp(config: TracingConfig, timeoutMillis: number): SendSpans {
  const { headers, serviceName } = config;
  const url = tracesUrl(config.endpoint);
  const exporter = new OTLPTraceExporter({ url, headers, timeoutMillis });
  const resource = resourceFromAttributes({ "service.name": serviceName });
  return (spans) =>
    new Promise((resolve) => {
      exporter.export(
        spans.map((span) => readable(span, resource)),
        ({ code, error }) =>
          resolve(code === 0 ? undefined : (error?.message ?? "no reason given")),
      );
    });
}

/** Where spans go: by OTLP at `/v1/traces`, unless the URL says otherwise. */
function tracesUrl(endpoint: string): string {
  const url = new URL(endpoint);
  if (url.pathname === "/") url.pathname = "/v1/traces";
  return url.href;
}

function readable(span: SpanData, resource: Readable["resource"]): Readable {
  const { traceId, spanId, parentId, name, kind, startMs, endMs, error } = span;
  const context = { traceId, spanId, traceFlags: 1 };
  const attributes = Object.entries(span.attributes).filter(([, value]) => value !== undefined);
  return {
    name,
    kind,
    spanContext: () => context,
    ...(parentId !== "" && { parentSpanContext: { traceId, spanId: parentId, traceFlags: 1 } }),
    startTime: hrTime(startMs),
    endTime: hrTime(endMs),
    duration: hrTime(endMs - startMs),
    status: error === undefined ? { code: 0 } : { code: errorStatus, message: error },
    attributes: Object.fromEntries(attributes),
    links: [],
    events: [],
    ended: true,
    resource,
    instrumentationScope: scope,
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  };
}

/** Seconds and nanoseconds. */
function hrTime(ms: number): [number, number] {
  const seconds = Math.floor(ms / 1_000);
  return [seconds, Math.round((ms - seconds * 1_000) * 1_000_000)];
}
