/** What each engine was doing when, for plots: stretches of time with the share of the engine that was in use. */

export type EngineRole = "prefill" | "decode";

export class UsageLog {
  /** For each engine: start, end and share of one stretch after the other. */
  readonly #stretches: Readonly<Record<EngineRole, number[][]>>;

  constructor(engines: Readonly<Record<EngineRole, number>>) {
    const empty = (count: number) => Array.from({ length: count }, (): number[] => []);
    this.#stretches = { prefill: empty(engines.prefill), decode: empty(engines.decode) };
  }

  add(role: EngineRole, engine: number, fromMs: number, toMs: number, share: number): void {
    this.#stretches[role][engine]!.push(fromMs, toMs, share);
  }

  /** Mean share of each engine in so many equal parts of the time up to `endMs`. */
  shares(role: EngineRole, parts: number, endMs: number): number[][] {
    const partMs = endMs / parts;
    return this.#stretches[role].map((stretches) => {
      const shares = new Array<number>(parts).fill(0);
      for (let i = 0; i < stretches.length; i += 3) {
        const from = stretches[i]!;
        const to = Math.min(stretches[i + 1]!, endMs);
        for (let part = Math.floor(from / partMs); part * partMs < to && part < parts; part += 1) {
          const overlapMs = Math.min(to, (part + 1) * partMs) - Math.max(from, part * partMs);
          shares[part]! += (overlapMs * stretches[i + 2]!) / partMs;
        }
      }
      return shares;
    });
  }
}
