/** The engine's metrics under vLLM's names, as Prometheus text. */

/** vLLM's own bucket bounds, in seconds. */
const firstTokenBounds = [
  0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80,
  160, 640, 2560,
];
const interTokenBounds = [
  0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80,
];
const requestBounds = [
  0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680,
];

export class Histogram {
  readonly #bounds: readonly number[];
  readonly #counts: number[];
  #sum = 0;
  #count = 0;

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = new Array<number>(bounds.length).fill(0);
  }

  observe(value: number): void {
    this.#sum += value;
    this.#count++;
    const index = this.#bounds.findIndex((bound) => value <= bound);
    if (index >= 0) this.#counts[index]!++;
  }

  lines(name: string, labels: string): string[] {
    let below = 0;
    const lines = this.#bounds.map((bound, index) => {
      below += this.#counts[index]!;
      return `${name}_bucket{le="${decimal(bound)}",${labels}} ${decimal(below)}`;
    });
    lines.push(`${name}_bucket{le="+Inf",${labels}} ${decimal(this.#count)}`);
    lines.push(`${name}_sum{${labels}} ${this.#sum}`);
    lines.push(`${name}_count{${labels}} ${decimal(this.#count)}`);
    return lines;
  }
}

/** Values at the moment of the scrape. */
export interface Gauges {
  readonly running: number;
  readonly waiting: number;
  /** A fraction of 1, despite the metric's name. */
  readonly kvUsage: number;
  readonly blockTokens: number;
  readonly blocks: number;
}

export class EngineMetrics {
  readonly firstTokenSeconds = new Histogram(firstTokenBounds);
  readonly interTokenSeconds = new Histogram(interTokenBounds);
  readonly requestSeconds = new Histogram(requestBounds);
  readonly queueSeconds = new Histogram(requestBounds);
  readonly #finished: Record<string, number> = { stop: 0, length: 0, abort: 0 };
  prefixQueriedTokens = 0;
  prefixHitTokens = 0;
  promptTokens = 0;
  generatedTokens = 0;
  /** Of requests that have reached decode: where the KV of their prompts is from, by vLLM's names. */
  readonly promptTokensBySource = { local_compute: 0, local_cache_hit: 0, external_kv_transfer: 0 };

  countFinished(reason: string): void {
    this.#finished[reason] = (this.#finished[reason] ?? 0) + 1;
  }

  render(model: string, gauges: Gauges): string {
    const labels = `engine="0",model_name="${escapeLabel(model)}"`;
    const lines: string[] = [];
    const single = (type: string, name: string, help: string, value: number): void => {
      lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
      lines.push(`${name}{${labels}} ${decimal(value)}`);
    };
    const histogram = (name: string, help: string, values: Histogram): void => {
      lines.push(
        `# HELP ${name} ${help}`,
        `# TYPE ${name} histogram`,
        ...values.lines(name, labels),
      );
    };
    single("gauge", "vllm:num_requests_running", "Requests in prefill or decode.", gauges.running);
    single("gauge", "vllm:num_requests_waiting", "Requests that have not started.", gauges.waiting);
    single("gauge", "vllm:kv_cache_usage_perc", "KV in use; 1 means 100 percent.", gauges.kvUsage);
    lines.push(
      "# HELP vllm:cache_config_info Geometry of the KV cache.",
      "# TYPE vllm:cache_config_info gauge",
      `vllm:cache_config_info{block_size="${gauges.blockTokens}",engine="0",num_gpu_blocks="${gauges.blocks}"} 1.0`,
    );
    single(
      "counter",
      "vllm:prefix_cache_queries_total",
      "Prompt tokens looked up.",
      this.prefixQueriedTokens,
    );
    single("counter", "vllm:prefix_cache_hits_total", "Prompt tokens found.", this.prefixHitTokens);
    single("counter", "vllm:prompt_tokens_total", "Prompt tokens computed.", this.promptTokens);
    const bySource = "vllm:prompt_tokens_by_source_total";
    lines.push(`# HELP ${bySource} Prompt tokens by source.`, `# TYPE ${bySource} counter`);
    for (const [source, count] of Object.entries(this.promptTokensBySource)) {
      lines.push(`${bySource}{${labels},source="${source}"} ${decimal(count)}`);
    }
    single("counter", "vllm:generation_tokens_total", "Tokens generated.", this.generatedTokens);
    lines.push(
      "# HELP vllm:request_success_total Requests that ended, by reason.",
      "# TYPE vllm:request_success_total counter",
    );
    for (const [reason, count] of Object.entries(this.#finished)) {
      lines.push(
        `vllm:request_success_total{finished_reason="${reason}",${labels}} ${decimal(count)}`,
      );
    }
    histogram(
      "vllm:time_to_first_token_seconds",
      "Arrival to first token.",
      this.firstTokenSeconds,
    );
    histogram("vllm:inter_token_latency_seconds", "Token to token.", this.interTokenSeconds);
    histogram("vllm:e2e_request_latency_seconds", "Arrival to last token.", this.requestSeconds);
    histogram("vllm:request_queue_time_seconds", "Arrival to prefill.", this.queueSeconds);
    return `${lines.join("\n")}\n`;
  }
}

/** The Python client prints every value as a float; parsers must cope with that, so this one does too. */
function decimal(value: number): string {
  return Number.isInteger(value) ? `${value}.0` : String(value);
}

function escapeLabel(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
