/** Prometheus' text format (https://prometheus.io/docs/instrumenting/exposition_formats/), version 0.0.4. */
import type { Metric } from "./definition.ts";

export const expositionType = "text/plain; version=0.0.4; charset=utf-8";

/** The values of a metric's labels. */
export type Labels<Label extends string> = Readonly<Record<Label, string>>;

export class Exposition {
  readonly #lines: string[] = [];

  /** Begins a metric, of which all samples follow. */
  family<Label extends string>(metric: Metric<Label>): Family<Label> {
    const help = metric.help.replace(/\\/g, "\\\\").replace(/\n/g, "\\n");
    this.#lines.push(`# HELP ${metric.name} ${help}`, `# TYPE ${metric.name} ${metric.type}`);
    return new Family(metric, this.#lines);
  }

  get text(): string {
    return `${this.#lines.join("\n")}\n`;
  }
}

export class Family<Label extends string> {
  readonly #metric: Metric<Label>;
  readonly #lines: string[];

  constructor(metric: Metric<Label>, lines: string[]) {
    this.#metric = metric;
    this.#lines = lines;
  }

  /** @param value undefined = not known, and left out */
  add(labels: Labels<Label>, value: number | undefined): this {
    if (value !== undefined) this.#line("", this.#pairs(labels), value);
    return this;
  }

  /**
   * @param fields buckets that are not cumulative, and the sum, as `observe` counts them
   * @param at where they begin
   */
  addHistogram(labels: Labels<Label>, fields: Float64Array, at = 0): this {
    const { buckets = [] } = this.#metric;
    const pairs = this.#pairs(labels);
    let count = 0;
    for (let i = 0; i <= buckets.length; i += 1) {
      count += fields[at + i]!;
      const bound = i < buckets.length ? String(buckets[i]) : "+Inf";
      this.#line("_bucket", [...pairs, `le="${bound}"`], count);
    }
    this.#line("_sum", pairs, fields[at + buckets.length + 1]!);
    this.#line("_count", pairs, count);
    return this;
  }

  #pairs(labels: Labels<Label>): string[] {
    return this.#metric.labels.map((name) => `${name}="${escaped(labels[name])}"`);
  }

  #line(suffix: string, pairs: readonly string[], value: number): void {
    const labels = pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
    this.#lines.push(`${this.#metric.name}${suffix}${labels} ${value}`);
  }
}

function escaped(text: string): string {
  return text.replace(/\\/g, "\\\\").replace(/\n/g, "\\n").replace(/"/g, '\\"');
}
