/** Flags of the command line, which need no file, become a configuration. */
import { type ConfigProblem, commandLine, problemAt, wholeFile } from "../problems/problem.ts";
import { builtInLogFormats } from "../schema/logs.ts";
import { type Config, type ConfigInput, configSchema } from "../schema/schema.ts";
import { autoModels } from "../values/auto-models.ts";
import { logLevels } from "../values/log-levels.ts";
import type { Flags } from "./flags.ts";
import { type Layout, readLayout } from "./layout.ts";
import { readPools } from "./pools.ts";
import {
  type Fail,
  oneOf,
  readAdmin,
  readListen,
  readMetrics,
  readMs,
  readTokens,
  readWorkers,
} from "./values.ts";

type Route = NonNullable<ConfigInput["servers"][number]["routes"]>[number];

export function parseFlags(
  flags: Flags,
):
  | { readonly config: Config; readonly input: ConfigInput }
  | { readonly errors: readonly ConfigProblem[] } {
  const errors: ConfigProblem[] = [];
  const fail: Fail = (message, hint) => {
    errors.push(problemAt(wholeFile(commandLine), { level: "emerg", message, hint }));
    return undefined;
  };
  const layout = readLayout(flags, fail);
  const pools = readPools(flags, layout, fail);
  const route = readRoute(flags, layout, fail);
  const level = oneOf("--log-level", flags.logLevel, logLevels, fail) ?? "warn";
  const workers = readWorkers(flags.workers, fail);
  const listen = readListen(flags.listen ?? "8080", fail);
  const admin = readAdmin(flags, fail);
  const metrics = readMetrics(flags, fail);
  const tracing = readTracing(flags, fail);
  if (errors.length > 0) return { errors };
  const input: ConfigInput = {
    workers: workers ?? 1,
    ...(flags.pid !== undefined && { pidFile: flags.pid }),
    ...(flags.record !== undefined && { record: { file: flags.record } }),
    ...(tracing && { tracing }),
    errorLog: { level },
    ...(admin && { admin }),
    metrics,
    ...(flags.apiKeys !== undefined && { auth: { keyFile: flags.apiKeys } }),
    pools,
    servers: [{ listen: [listen ?? { port: 8080 }], routes: [...readPages(flags), route] }],
  };
  return { config: configSchema.parse(input), input };
}

/** Routes beside the one for requests. */
function readPages({ metricsServers = [], internalMetrics }: Flags): Route[] {
  return [
    ...(internalMetrics
      ? [{ match: { kind: "exact", path: "/internal/metrics" }, page: "vllm_metrics" } as const]
      : []),
    ...(metricsServers.length > 0
      ? [{ match: { kind: "exact", path: "/metrics" }, target: { pool: "metrics" } } as const]
      : []),
  ];
}

/** The one route for every other request. */
function readRoute(flags: Flags, { dialect, splits, encodes }: Layout, fail: Fail): Route {
  const failures = ["error", "decode_only"] as const;
  const onFailure = oneOf("--on-prefill-failure", flags.onPrefillFailure, failures, fail);
  const minTokens = readTokens("--prefill-min-tokens", flags.prefillMinTokens, fail);
  const requestMs = readMs("--request-timeout-ms", flags.requestTimeoutMs, fail);
  const commentMs = readMs("--keep-alive-comment-ms", flags.keepAliveCommentMs, fail);
  const prefillMs = readMs("--prefill-timeout-ms", flags.prefillTimeoutMs, fail);
  return {
    match: { path: "/" },
    target: { pool: "decode" },
    ...(encodes && { encode: { pool: "encode" } }),
    ...(splits && { prefill: { pool: "prefill" } }),
    ...(dialect && { dialect }),
    ...readModels(flags, fail),
    ...(onFailure && { onPrefillFailure: onFailure }),
    ...(minTokens !== undefined && { prefillMinTokens: minTokens }),
    ...(requestMs !== undefined && { requestTimeoutMs: requestMs }),
    ...(prefillMs !== undefined && { prefillTimeoutMs: prefillMs }),
    ...(commentMs !== undefined && { keepAliveCommentMs: commentMs }),
    ...(flags.streamUsage && { streamUsage: true }),
    ...(flags.resume && { resume: true }),
    ...(flags.explain && { explain: true }),
    ...(flags.engineControl && { engineControl: true }),
    accessLogs: readAccessLogs(flags, fail),
  };
}

function readModels(
  { models, modelAlias = [] }: Flags,
  fail: Fail,
): Pick<Route, "models" | "modelAliases"> {
  const auto = oneOf("--models", models, [autoModels], fail);
  const aliases = modelAlias.flatMap((text) => {
    const [, name, model] = /^([^=]+)=(.+)$/s.exec(text) ?? [];
    if (name !== undefined && model !== undefined) return [[name, model]];
    fail(`invalid alias "${text}" for --model-alias`, "write NAME=MODEL");
    return [];
  });
  if (aliases.length > 0 && models === undefined) {
    fail("--model-alias has no effect without --models auto");
  }
  return {
    ...(auto && { models: auto }),
    ...(aliases.length > 0 && {
      modelAliases: Object.fromEntries(aliases) as Record<string, string>,
    }),
  };
}

function readAccessLogs({ accessLog, accessLogFormat }: Flags, fail: Fail): Route["accessLogs"] {
  const format = oneOf("--access-log-format", accessLogFormat, builtInLogFormats, fail);
  if (accessLog !== undefined) return [{ file: accessLog, ...(format && { format }) }];
  if (format !== undefined) fail("--access-log-format needs --access-log", "--access-log stdout");
  return [];
}

function readTracing(flags: Flags, fail: Fail): ConfigInput["tracing"] {
  const { otlpTracesEndpoint: endpoint, traceSampleRatio: ratio, traceSlowMs } = flags;
  const slowMs = readMs("--trace-slow-ms", traceSlowMs, fail);
  if (endpoint === undefined) {
    if (ratio === undefined && slowMs === undefined) return undefined;
    const hint = "--otlp-traces-endpoint http://127.0.0.1:4318";
    return fail("--trace-sample-ratio and --trace-slow-ms need --otlp-traces-endpoint", hint);
  }
  const isRatio = ratio === undefined || (ratio !== "" && Number(ratio) >= 0 && Number(ratio) <= 1);
  if (!isRatio) return fail(`invalid number "${ratio}" for --trace-sample-ratio`, "0 to 1");
  if (!/^https?:\/\/[^/]/.test(endpoint) || !URL.canParse(endpoint)) {
    return fail(`invalid URL "${endpoint}" for --otlp-traces-endpoint`, "http://127.0.0.1:4318");
  }
  return {
    endpoint,
    ...(ratio !== undefined && { sampleRatio: Number(ratio) }),
    ...(slowMs !== undefined && { slowMs }),
  };
}
