/** nginx's OpenTelemetry module. */
import type { ConfigInput } from "../../schema/schema.ts";
import type { Block } from "../directives/block.ts";
import { otelExporter, otelServiceName, otelTrace } from "../directives/http/otel.ts";

/** Undefined = nothing is traced. */
export function readTracing(http: Block): ConfigInput["tracing"] {
  const exporter = http.own(otelExporter)[0]?.value;
  if (exporter === undefined || !tracesSomewhere(http)) return undefined;
  const serviceName = http.own(otelServiceName)[0]?.value;
  return { ...exporter, ...(serviceName !== undefined && { serviceName }) };
}

function tracesSomewhere(block: Block): boolean {
  return (
    block.own(otelTrace).some(({ value }) => value) ||
    block.entries.some((entry) => entry.block !== undefined && tracesSomewhere(entry.block))
  );
}
