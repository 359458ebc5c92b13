/** How requests end that do not end well, by outcome and status, with their numbers in each of the last minutes. */

import { hasFailed } from "../../../proxy/context/has-failed.ts";
import { outcomes } from "../../../proxy/context/outcomes.ts";
import type { Series } from "../../../scoreboard/series-rows.ts";
import { outcomeMinutes } from "../../limits.ts";
import type { OutcomeCount } from "./messages.ts";
import type { EndedCounts } from "./traffic.ts";

interface Counted {
  readonly code: string;
  readonly status: number;
  total: number;
  readonly minutes: number[];
  lastMs: number | undefined;
}

const byCode = new Map(Object.values(outcomes).map((outcome) => [outcome.code, outcome]));
const wellEnded = ["GP_OK", "GP_RETURNED", "GP_CLOSED"];
/** Of requests that could not be parsed: codes of the parser's own. */
const unparsed = {
  message: "The request could not be read.",
  fault: "client",
  retry: "no",
} as const;

export class OutcomeCounts {
  readonly #counted = new Map<string, Counted>();
  #minute = -1;
  #hasLooked = false;
  #ended: EndedCounts = { requests: 0, failed: 0 };

  /** All requests that have ended, and those that failed. */
  get ended(): EndedCounts {
    return this.#ended;
  }

  /** @param series with the labels route, model, outcome, status. @param nowMs since the epoch */
  take(series: readonly Series[], nowMs: number): void {
    this.#advance(Math.floor(nowMs / 60_000));
    const totals = new Map<string, number>();
    for (const { labels, values } of series) {
      const key = `${labels[2]} ${labels[3]}`;
      totals.set(key, (totals.get(key) ?? 0) + values[0]!);
    }
    const ended = { requests: 0, failed: 0 };
    for (const [key, total] of totals) {
      const [code = "", status = ""] = key.split(" ");
      ended.requests += total;
      if (isFailure(code, Number(status))) ended.failed += total;
      this.#count(key, code, Number(status), total, nowMs);
    }
    this.#ended = ended;
    this.#hasLooked = true;
  }

  /** Those that failed in this minute and the one before. */
  get lately(): number {
    return this.#sum(2, ({ code, status }) => isFailure(code, status));
  }

  get allLately(): number {
    return this.#sum(2, () => true);
  }

  /** Without those that ended well; the most frequent of the last minutes first. */
  list(): OutcomeCount[] {
    const recent = ({ minutes }: Pick<Counted, "minutes">) =>
      minutes.reduce((sum, n) => sum + n, 0);
    return [...this.#counted.values()]
      .filter(({ code, status, total }) => total > 0 && !(wellEnded.includes(code) && status < 500))
      .sort((a, b) => recent(b) - recent(a) || b.total - a.total)
      .map(({ code, status, total, minutes, lastMs }) => {
        const { message, fault, retry } = described(code);
        const last = lastMs === undefined ? {} : { lastMs };
        return { code, status, message, fault, retry, total, minutes: [...minutes], ...last };
      });
  }

  #sum(minutes: number, isCounted: (one: Counted) => boolean): number {
    let sum = 0;
    for (const one of this.#counted.values()) {
      if (isCounted(one)) for (const count of one.minutes.slice(-minutes)) sum += count;
    }
    return sum;
  }

  #count(key: string, code: string, status: number, total: number, nowMs: number): void {
    const known = this.#counted.get(key);
    if (known === undefined) {
      // What was there at first came before this was watched.
      const isNew = this.#hasLooked;
      const minutes = new Array<number>(outcomeMinutes).fill(0);
      if (isNew) minutes[outcomeMinutes - 1] = total;
      this.#counted.set(key, { code, status, total, minutes, lastMs: isNew ? nowMs : undefined });
      return;
    }
    if (total <= known.total) return;
    known.minutes[outcomeMinutes - 1]! += total - known.total;
    known.total = total;
    known.lastMs = nowMs;
  }

  #advance(minute: number): void {
    const passed =
      this.#minute < 0 ? 0 : Math.min(outcomeMinutes, Math.max(0, minute - this.#minute));
    this.#minute = minute;
    if (passed === 0) return;
    for (const { minutes } of this.#counted.values()) {
      minutes.splice(0, passed);
      minutes.push(...new Array<number>(passed).fill(0));
    }
  }
}

function described(code: string) {
  if (code === "GP_OK") {
    return { message: "The engine itself responded with an error.", fault: "decode", retry: "no" };
  }
  return byCode.get(code) ?? unparsed;
}

function isFailure(code: string, status: number): boolean {
  return hasFailed({ status, outcome: byCode.get(code) ?? { fault: unparsed.fault } });
}
