/** What to write here for flags of SMG (sglang-router), vLLM Router and llm-d's sidecar, as docs/migrating says it. */
const hints: ReadonlyMap<string, string> = new Map([
  ["--worker-urls", "use --engine"],
  ["--pd-disaggregation", "--prefill and --decode say it"],
  ["--vllm-pd-disaggregation", "--prefill and --decode say it"],
  ["--epd-disaggregation", "--encode, --prefill and --decode say it"],
  ["--kv-connector", "use --dialect vllm-nixl, vllm-mooncake, moriio-read or moriio-write"],
  ["--vllm-discovery-address", "use registrations in YAML"],
  ["--intra-node-data-parallel-size", "write ranks behind the port, as http://HOST:PORT@0-7"],
  ["--dp-aware", "write ranks behind the port, as http://HOST:PORT@0-7"],
  ["--service-discovery", "use --prefill dns:NAME:PORT of a headless Service"],
  ["--selector", "use --engine dns:NAME:PORT of a headless Service"],
  ["--prefill-selector", "use --prefill dns:NAME:PORT of a headless Service"],
  ["--decode-selector", "use --decode dns:NAME:PORT of a headless Service"],
  ["--policy", "use --prefill-policy and --decode-policy"],
  ["--cache-threshold", "use --prefill-policy 'cache_aware?cache_threshold=0.3'"],
  ["--balance-abs-threshold", "use --prefill-policy 'cache_aware?balance_absolute=64'"],
  ["--balance-rel-threshold", "use --prefill-policy 'cache_aware?balance_relative=1.5'"],
  ["--host", "use --listen HOST:PORT"],
  ["--port", "use --listen PORT"],
  ["--prometheus-host", "use --metrics HOST:PORT"],
  ["--prometheus-port", "use --metrics PORT"],
  ["--request-timeout-secs", "use --request-timeout-ms"],
  ["--max-payload-size", "use bodyBytesMax of a route in YAML"],
  ["--max-concurrent-requests", "use maxConns of engines and queue of a pool in YAML"],
  ["--rate-limit-tokens-per-second", "use tenants in YAML"],
  ["--api-key-validation-urls", "use --api-keys"],
  ["--queue-size", "use queue of a pool in YAML"],
  ["--retry-max-retries", "use retry of a route in YAML"],
  ["--disable-retries", "use retry of a route in YAML"],
  ["--cb-failure-threshold", "use --ejection 'outlier?consecutive_failures=5'"],
  ["--disable-circuit-breaker", "use --ejection max_fails"],
  ["--health-check-interval-secs", "use --health-checks"],
  ["--health-check-endpoint", "use healthCheck of a pool in YAML"],
  ["--enable-trace", "use --otlp-traces-endpoint"],
  ["--otel-sampling-ratio", "use --trace-sample-ratio"],
  ["--api-key", "use apiKey of a pool in YAML"],
]);

/** @param flag as it was typed; undefined = it is none of theirs */
export function peerHint(flag: string): string | undefined {
  // SGLang's and vLLM's servers have the same with a prefix.
  return hints.get(flag) ?? hints.get(flag.replace(/^--router-/, "--"));
}

/** Their names. */
export const peerFlags: readonly string[] = [...hints.keys()];
