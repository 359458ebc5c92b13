/** Prometheus' text format: a metric with its samples. */

export interface MetricFamily {
  readonly name: string;
  readonly help: string;
  readonly type: "gauge" | "counter";
  readonly samples: readonly Sample[];
}

/** The labels as they stand in the text, and the value. */
export interface Sample {
  readonly labels: string;
  readonly value: number;
}

export function labelled(labels: Readonly<Record<string, string>>, value: number): Sample {
  const pairs = Object.entries(labels).map(([name, text]) => `${name}="${label(text)}"`);
  return { labels: pairs.length === 0 ? "" : `{${pairs.join(",")}}`, value };
}

export function linesOf({ name, help, type, samples }: MetricFamily): string[] {
  const lines = samples.map(({ labels, value }) => `${name}${labels} ${value}`);
  return [...head(name, help, type), ...lines];
}

export function head(name: string, help: string, type: "gauge" | "counter" = "gauge"): string[] {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`];
}

/** Escapes a label's value. */
export function label(text: string): string {
  return text.replace(/\\/g, "\\\\").replace(/\n/g, "\\n").replace(/"/g, '\\"');
}
