/** What Prometheus would read of a proxy, as numbers. */
import { ask } from "./http-client.ts";

type Matching = Readonly<Record<string, string | RegExp>>;

interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const line = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/;
const pair = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;

export class Metrics {
  readonly text: string;
  readonly #samples: readonly Sample[];

  constructor(text: string) {
    this.text = text;
    this.#samples = text.split("\n").flatMap((one) => {
      const [, name, labels = "", value] = line.exec(one) ?? [];
      if (name === undefined) return [];
      const pairs = [...labels.matchAll(pair)].map(([, key, of]) => [key!, of!] as const);
      return [{ name, labels: Object.fromEntries(pairs), value: Number(value) }];
    });
  }

  /** The sum over all series with these labels; 0 if there is none. */
  sum(name: string, labels: Matching = {}): number {
    return this.#samples
      .filter((sample) => sample.name === `global_proxy_${name}` && matches(sample, labels))
      .reduce((sum, { value }) => sum + value, 0);
  }

  /** Names of metrics, with their labels, without those that a histogram adds. */
  get exported(): ReadonlyMap<string, ReadonlySet<string>> {
    const all = new Map<string, Set<string>>();
    for (const { name, labels } of this.#samples) {
      const known = all.get(name) ?? new Set();
      for (const label of Object.keys(labels)) known.add(label);
      all.set(name, known);
    }
    return all;
  }
}

function matches({ labels }: Sample, wanted: Matching): boolean {
  return Object.entries(wanted).every(([name, value]) => {
    const is = labels[name] ?? "";
    return typeof value === "string" ? is === value : value.test(is);
  });
}

/** @param origin of the listener that has them */
export async function metricsOf(origin: string): Promise<Metrics> {
  return new Metrics((await ask(`${origin}/metrics`)).body);
}
