/** The directives of nginx's OpenTelemetry module trace what they trace there, or say why not. */
import { expect, it } from "vitest";
import { inputOf, load, problemsOf } from "../in-memory.ts";

const conf = (http: string, location = "") =>
  `events {} http { ${http} server { listen 8080; location / { ${location} return 200; } } }`;
const exporter = 'otel_exporter { endpoint http://c:4318; header x-key "a b"; }';

it("an exporter and otel_trace on, in whatever block, trace the whole proxy", () => {
  const tracing = { endpoint: "http://c:4318", headers: { "x-key": "a b" } };
  expect(inputOf(conf(`${exporter} otel_trace on;`)).tracing).toEqual(tracing);
  expect(inputOf(conf(exporter, "otel_trace on;")).tracing).toEqual(tracing);
  const named = inputOf(conf(`${exporter} otel_service_name gateway; otel_trace on;`));
  expect(named.tracing).toEqual({ ...tracing, serviceName: "gateway" });
  expect(load(conf(`${exporter} otel_trace on;`)).config?.tracing?.sampleRatio).toBe(1);
});

it("without either nothing is traced, as in nginx", () => {
  expect(inputOf(conf(exporter)).tracing).toBeUndefined();
  expect(inputOf(conf(`${exporter} otel_trace off;`)).tracing).toBeUndefined();
  expect(inputOf(conf("otel_trace on;")).tracing).toBeUndefined();
});

it("an endpoint as nginx writes it is an HTTP one, and gRPC's port is noted", () => {
  const text = conf("otel_exporter { endpoint c:4317; batch_size 9; } otel_trace on;");
  expect(load(text).config?.tracing?.endpoint).toBe("http://c:4317");
  expect(problemsOf(text).join("\n")).toMatch(/over HTTP.*4318.*"batch_size" of "otel_exporter"/s);
});

it.each([
  ["otel_exporter { interval 5s; }", '"otel_exporter" requires "endpoint"'],
  ["otel_exporter { endpont c:1; }", 'unknown parameter "endpont" of "otel_exporter"'],
  ["otel_exporter { endpoint http://; }", 'invalid endpoint "http://"'],
  ["otel_trace $sampled;", '"otel_trace" takes "on" or "off", not "$sampled"'],
])("%s is an error", (http, problem) => {
  expect(problemsOf(conf(http)).join("\n")).toContain(problem);
});
