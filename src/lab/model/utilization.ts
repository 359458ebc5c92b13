/** How busy each engine was over time, for plots: intervals with the share of the engine that was in use. */

export type EngineRole = "prefill" | "decode";

export class Utilization {
  /** For each engine: start, end and share of each interval, one after the other. */
  readonly #intervals: Readonly<Record<EngineRole, number[][]>>;

  constructor(engines: Readonly<Record<EngineRole, number>>) {
    const empty = (count: number) => Array.from({ length: count }, (): number[] => []);
    this.#intervals = { prefill: empty(engines.prefill), decode: empty(engines.decode) };
  }

  add(role: EngineRole, engine: number, fromMs: number, toMs: number, share: number): void {
    this.#intervals[role][engine]!.push(fromMs, toMs, share);
  }

  /** Mean share of each engine in each of `parts` equal parts of the time up to `endMs`. */
  shares(role: EngineRole, parts: number, endMs: number): number[][] {
    const partMs = endMs / parts;
    return this.#intervals[role].map((intervals) => {
      const shares = new Array<number>(parts).fill(0);
      for (let i = 0; i < intervals.length; i += 3) {
        const from = intervals[i]!;
        const to = Math.min(intervals[i + 1]!, endMs);
        for (let part = Math.floor(from / partMs); part * partMs < to && part < parts; part += 1) {
          const overlapMs = Math.min(to, (part + 1) * partMs) - Math.max(from, part * partMs);
          shares[part]! += (overlapMs * intervals[i + 2]!) / partMs;
        }
      }
      return shares;
    });
  }
}
