/** The decisions of one request, told to its client in `X-Explain` as JSON. */
import type { Decision } from "../fleet/explanation.ts";
import { explainedDecisionsMax, explainedEnginesMax } from "../limits.ts";

export class Explanation {
  readonly #decisions: object[] = [];

  add(decision: Decision): void {
    if (this.#decisions.length >= explainedDecisionsMax) return;
    const { chosen, engines } = decision;
    // The chosen one, then those that came closest.
    const rank = ({ engine, score }: (typeof engines)[number]) =>
      engine === chosen ? Number.NEGATIVE_INFINITY : (score ?? 0);
    const told = engines.toSorted((a, b) => rank(a) - rank(b)).slice(0, explainedEnginesMax);
    const untold = engines.length - told.length;
    this.#decisions.push({ ...decision, engines: told, ...(untold > 0 && { untold }) });
  }

  /** The header line; numbers have three places at most. */
  line(): string {
    if (this.#decisions.length === 0) return "";
    const text = JSON.stringify(this.#decisions, (_, value: unknown) =>
      typeof value === "number" ? Math.round(value * 1_000) / 1_000 : value,
    );
    // Names of pools can be anything; a header line cannot.
    return `X-Explain: ${text.replace(/[^\x20-\x7e]/g, "?")}\r\n`;
  }
}
