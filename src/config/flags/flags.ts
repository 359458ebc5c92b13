/** The flags of the command line that describe a configuration. */

/** Flags as they were typed. */
export interface Flags {
  /** Engines that encode images, audio and video before the prefill. */
  readonly encode?: readonly string[];
  readonly prefill: readonly string[];
  readonly decode: readonly string[];
  /** Engines that serve whole requests, in place of the two above. */
  readonly engine?: readonly string[];
  /** `PORT`, `HOST:PORT` or `unix:/path`. */
  readonly listen?: string;
  readonly prefillPolicy?: string;
  /** Also the policy of engines that serve whole requests. */
  readonly decodePolicy?: string;
  /** A policy that decides nothing, for the prefill engines or for those that serve whole requests. */
  readonly shadow?: string;
  /** Requests beyond which an engine has no capacity, for policies that have such a bound. */
  readonly prefillMaxNumSeqs?: string;
  readonly decodeMaxNumSeqs?: string;
  /** A number or `auto`. */
  readonly workers?: string;
  readonly accessLog?: string;
  /** `combined` or `json`. */
  readonly accessLogFormat?: string;
  /** Of a collector, for OpenTelemetry. */
  readonly otlpTracesEndpoint?: string;
  readonly traceSampleRatio?: string;
  readonly traceSlowMs?: string;
  /** File of a trace. */
  readonly record?: string;
  readonly pid?: string;
  readonly logLevel?: string;
  readonly dialect?: string;
  /** `auto` = several, as engines list them. */
  readonly models?: string;
  /** `NAME=MODEL` each. */
  readonly modelAlias?: readonly string[];
  /** As in a route. */
  readonly onPrefillFailure?: string;
  readonly prefillMinTokens?: string;
  /** In ms, as in a route. */
  readonly requestTimeoutMs?: string;
  readonly prefillTimeoutMs?: string;
  readonly keepAliveCommentMs?: string;
  readonly resume?: boolean;
  readonly explain?: boolean;
  /** As in a route. */
  readonly engineControl?: boolean;
  /** Ask all engines for their load. */
  readonly signals?: boolean;
  /** Ask all engines whether they are well. */
  readonly healthChecks?: boolean;
  /** When engines that fail get no requests for a while: `RULE` or `RULE?OPTION=VALUE&…`. */
  readonly ejection?: string;
  readonly tokenize?: boolean;
  readonly kvEvents?: string;
  /** `PORT` of 127.0.0.1, or `HOST:PORT`. */
  readonly admin?: string;
  /** Where the token of that listener is: a file, or an environment variable. */
  readonly adminTokenFile?: string;
  readonly adminTokenEnv?: string;
  /** File of API keys: without one of them clients get 401. */
  readonly apiKeys?: string;
  /** Name servers for engines that are named by `dns:` or `srv:`, by commas. */
  readonly resolver?: string;
  /** The same for a listener of metrics alone; `off` = nothing is counted. */
  readonly metrics?: string;
  readonly metricsTokenFile?: string;
  readonly metricsTokenEnv?: string;
  readonly vllmMetricNames?: boolean;
  /** Servers whose `/metrics` clients get. */
  readonly metricsServers?: readonly string[];
  readonly internalMetrics?: boolean;
  readonly streamUsage?: boolean;
  /** Of the decode engines only the last so many take requests. */
  readonly attentionNum?: string;
  /** As in a pool. */
  readonly decodeCacheTokens?: string;
}
