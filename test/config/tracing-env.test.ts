/** OpenTelemetry's environment variables switch traces on as its users expect, and never by mistake. */
import { expect, it } from "vitest";
import { tracingFromEnvironment } from "../../src/config/tracing-env.ts";

const base = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://c:4318/" };

it("an endpoint switches traces on, and its path is by OpenTelemetry's rule", () => {
  expect(tracingFromEnvironment({})).toBeUndefined();
  expect(tracingFromEnvironment(base)).toMatchObject({
    endpoint: "http://c:4318/v1/traces",
    sampleRatio: 1,
    serviceName: "global-proxy",
  });
  const own = { ...base, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "http://d:1/x" };
  expect(tracingFromEnvironment(own)?.endpoint).toBe("http://d:1/x");
});

it("name and ratio count, and what is no ratio does not", () => {
  const ratio = (sampler: string, arg: string) =>
    tracingFromEnvironment({
      ...base,
      OTEL_SERVICE_NAME: "mine",
      OTEL_TRACES_SAMPLER: sampler,
      OTEL_TRACES_SAMPLER_ARG: arg,
    });
  expect(ratio("parentbased_traceidratio", "0.25")).toMatchObject({
    sampleRatio: 0.25,
    serviceName: "mine",
  });
  expect(ratio("always_off", "")?.sampleRatio).toBe(0);
  expect(ratio("always_on", "0.25")?.sampleRatio).toBe(1);
  expect(ratio("traceidratio", "much")?.sampleRatio).toBe(1);
});

it.each([{ OTEL_SDK_DISABLED: "true" }, { OTEL_TRACES_EXPORTER: "none" }])("%j is off", (off) => {
  expect(tracingFromEnvironment({ ...base, ...off })).toBeUndefined();
  expect(tracingFromEnvironment({ OTEL_EXPORTER_OTLP_ENDPOINT: "no url" })).toBeUndefined();
});
