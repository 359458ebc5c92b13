/** Directives of nginx's OpenTelemetry module (https://nginx.org/en/docs/ngx_otel_module.html). */
import type { ConfigInput } from "../../../schema/schema.ts";
import { many, none, oneOf, reading, text, words } from "../../reading/arguments.ts";
import { anyHttp } from "../../reading/context.ts";
import { type Directive, honoured, ignored } from "../../reading/directive.ts";
import type { Scope } from "../../reading/scope.ts";

type Exporter = Pick<NonNullable<ConfigInput["tracing"]>, "endpoint" | "headers">;

/** Of nginx's batches and TLS, which the exporter decides. */
const withoutEffect = ["interval", "batch_size", "batch_count", "trusted_certificate"];

function readExporter(scope: Scope): Exporter {
  const headers: Record<string, string> = {};
  let endpoint: string | undefined;
  for (const { name, args, block } of scope.node.block ?? []) {
    const [first, second] = args;
    if (block !== undefined) scope.fail('unexpected "{"', name);
    if (name.text === "header" && second !== undefined && args.length === 2) {
      headers[first!.text] = second.text;
    } else if (first === undefined || args.length > 1) {
      scope.fail(`invalid number of arguments in "${name.text}" of "otel_exporter"`, name);
    } else if (name.text === "endpoint") {
      endpoint = /^https?:\/\//.test(first.text) ? first.text : `http://${first.text}`;
      const isUrl = URL.canParse(endpoint) && new URL(endpoint).hostname !== "";
      if (!isUrl) scope.fail(`invalid endpoint "${first.text}"`, first, "http://127.0.0.1:4318");
      if (/:4317\/?$/.test(endpoint)) {
        const message =
          "spans are sent over HTTP, and collectors take gRPC at 4317: name port 4318";
        scope.notice(message, first, "otel_exporter");
      }
    } else if (withoutEffect.includes(name.text)) {
      const message = `"${name.text}" of "otel_exporter" has no effect here`;
      scope.notice(message, name, name.text);
    } else {
      scope.fail(`unknown parameter "${name.text}" of "otel_exporter"`, name);
    }
  }
  if (endpoint === undefined) scope.fail('"otel_exporter" requires "endpoint"');
  return { endpoint, headers };
}

export const otelExporter = honoured(
  "otel_exporter",
  ["http"],
  { ...none, read: (_words, scope): Exporter => readExporter(scope) },
  "`tracing.endpoint` and `headers` (`docs/tracing.md`)",
  {
    block: "entries",
    note: "With `endpoint` and `header`. Spans are sent over HTTP: name the collector's port for that, 4318.",
  },
);

export const otelServiceName = honoured(
  "otel_service_name",
  ["http"],
  text,
  "`tracing.serviceName`",
  { byDefault: "`global-proxy`" },
);

export const otelTrace = honoured(
  "otel_trace",
  anyHttp,
  reading(1, 1, ([word], scope): boolean => {
    if (word!.text === "on" || word!.text === "off") return word!.text === "on";
    const hint = "the client's traceparent decides, else sampleRatio of a YAML file";
    return scope.fail(`"otel_trace" takes "on" or "off", not "${word!.text}"`, word, hint);
  }),
  "whether there is `tracing`",
  {
    byDefault: "`off`",
    note: "`on` in any block traces the whole proxy. A client's sampled flag counts as well.",
  },
);

export const otelDirectives: readonly Directive[] = [
  otelExporter,
  otelServiceName,
  otelTrace,
  ignored(
    "otel_trace_context",
    anyHttp,
    oneOf("extract", "inject", "propagate", "ignore"),
    "contexts of clients go on to engines whenever requests are traced",
  ),
  ignored("otel_span_name", anyHttp, text, "spans have names of their own"),
  ignored("otel_span_attr", anyHttp, words(2, many), "spans have attributes of their own", {
    repeats: true,
  }),
  ignored("otel_resource_attr", ["http"], words(2), "there is `service.name` alone", {
    repeats: true,
  }),
];
