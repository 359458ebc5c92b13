/**
 * Tracing by OpenTelemetry's environment variables, if the configuration says nothing of it
 * (https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/). The exporter reads
 * `OTEL_EXPORTER_OTLP_HEADERS` by itself.
 */
import { type TracingConfig, tracingSchema } from "./schema/tracing.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** Undefined = they name no collector, or switch traces off. An endpoint that is no URL is as none. */
export function tracingFromEnvironment(env: Environment): TracingConfig | undefined {
  if (env["OTEL_SDK_DISABLED"]?.toLowerCase() === "true") return undefined;
  if (env["OTEL_TRACES_EXPORTER"] === "none") return undefined;
  const own = env["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];
  const shared = env["OTEL_EXPORTER_OTLP_ENDPOINT"];
  const endpoint = own || (shared && `${shared.replace(/\/+$/, "")}/v1/traces`);
  if (!endpoint) return undefined;
  const sampler = env["OTEL_TRACES_SAMPLER"] ?? "";
  const ratio = sampler.endsWith("always_off") ? 0 : Number(env["OTEL_TRACES_SAMPLER_ARG"] || 1);
  const isRatio = sampler.endsWith("traceidratio") || sampler.endsWith("always_off");
  const name = env["OTEL_SERVICE_NAME"];
  const parsed = tracingSchema.safeParse({
    endpoint,
    ...(isRatio && ratio >= 0 && ratio <= 1 && { sampleRatio: ratio }),
    ...(name && { serviceName: name }),
  });
  return parsed.success ? parsed.data : undefined;
}
