/** What a metric is defined by. Recording, the text for Prometheus and `docs/metrics.md` follow from definitions. */

export type MetricType = "counter" | "gauge" | "histogram";

export interface Metric<Label extends string = string> {
  /** As Prometheus wants it: base units, which stand at its end, before `_total` of a counter. */
  readonly name: string;
  readonly type: MetricType;
  /** One sentence. */
  readonly help: string;
  readonly labels: readonly Label[];
  /** Of a histogram. */
  readonly buckets?: readonly number[];
  /** The same under the name of vLLM, where the configuration asks for those (`metrics.vllmNames`). */
  readonly vllmName?: string;
}

interface More {
  readonly vllmName?: string;
}

/** The name of every metric that the proxy defines itself begins so. */
const prefix = "global_proxy_";

export function counter<const Label extends string>(
  name: string,
  labels: readonly Label[],
  help: string,
  more: More = {},
): Metric<Label> {
  return { name: `${prefix}${name}_total`, type: "counter", labels, help, ...more };
}

export function gauge<const Label extends string>(
  name: string,
  labels: readonly Label[],
  help: string,
): Metric<Label> {
  return { name: prefix + name, type: "gauge", labels, help };
}

export function histogram<const Label extends string>(
  name: string,
  labels: readonly Label[],
  buckets: readonly number[],
  help: string,
  more: More = {},
): Metric<Label> & { readonly buckets: readonly number[] } {
  return { name: prefix + name, type: "histogram", labels, buckets, help, ...more };
}

/** A metric whose name is a convention of others. */
export function conventional<const Label extends string>(
  name: string,
  type: "counter" | "gauge",
  labels: readonly Label[],
  help: string,
): Metric<Label> {
  return { name, type, labels, help };
}
