/** What a source complains of, without repeating itself: sources fail again and again in the same way. */
import { complaintAgainMs, complaintsPerMinuteMax } from "../../limits.ts";
import type { SourceDeps, SourceLevel } from "./source.ts";

export class Complaints {
  readonly #deps: Pick<SourceDeps, "log" | "nowMs">;
  #last = "";
  #lastMs = 0;
  /** Of the current minute. */
  #minute = 0;
  #said = 0;

  constructor(deps: Pick<SourceDeps, "log" | "nowMs">) {
    this.#deps = deps;
  }

  /** Whether something is wrong, as far as was said. */
  get isWrong(): boolean {
    return this.#last !== "";
  }

  /** The same problem is logged once, and again after a long time. */
  say(level: SourceLevel, problem: string): void {
    const nowMs = this.#deps.nowMs();
    if (problem === this.#last && nowMs - this.#lastMs < complaintAgainMs) return;
    const minute = Math.floor(nowMs / 60_000);
    if (minute !== this.#minute) {
      this.#minute = minute;
      this.#said = 0;
    }
    this.#last = problem;
    this.#said += 1;
    if (this.#said > complaintsPerMinuteMax) return;
    this.#lastMs = nowMs;
    this.#deps.log(level, problem);
  }

  /** @param message what is right again */
  recovered(message: string): void {
    if (!this.isWrong) return;
    this.#last = "";
    if (this.#said <= complaintsPerMinuteMax) this.#deps.log("notice", message);
  }
}
