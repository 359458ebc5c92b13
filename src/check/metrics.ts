/** Single counters of an engine's metrics, as Prometheus text. Its load is read by `control/polling/load-report.ts`. */

/** The values of a metric, summed over its labels; undefined = there is none. */
export function metricOf(text: string, name: string, label?: string): number | undefined {
  let sum: number | undefined;
  for (let at = text.indexOf(name); at >= 0; at = text.indexOf(name, at + 1)) {
    if (at > 0 && text[at - 1] !== "\n") continue;
    const end = text.indexOf("\n", at);
    const line = text.slice(at + name.length, end < 0 ? text.length : end);
    const [, labels = "", value] = /^(?:\{(.*)\})?[ \t]+(\S+)/.exec(line) ?? [];
    if (value === undefined || (label !== undefined && !labels.includes(label))) continue;
    sum = (sum ?? 0) + Number(value);
  }
  return sum;
}
