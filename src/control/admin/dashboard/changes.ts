/** What has happened lately, in words: engines that came, went or failed, workers, configurations. */
import { listedChangesMax } from "../../limits.ts";
import type { WorkerCounts } from "../../workers/restarts.ts";
import type { StateChange } from "./engine-watch.ts";
import type { Change, Level, Role } from "./messages.ts";
import { burstText } from "./verdict.ts";

const levels: Readonly<Record<string, Level>> = {
  healthy: "good",
  ejected: "warn",
  degraded: "warn",
};
const words: Readonly<Record<string, string>> = {
  starting: "is not ready",
  healthy: "is healthy",
  degraded: "is degraded",
  ejected: "was ejected",
  draining: "drains",
  down: "is down",
};

export class Changes {
  /** The newest first. */
  #all: Change[] = [];
  #workers: Pick<WorkerCounts, "died" | "hung"> | undefined;
  /** The configuration in force: another one is another object. */
  #config: object | undefined;

  get all(): readonly Change[] {
    return this.#all;
  }

  engines(changes: readonly StateChange[], roleOf: (pool: string) => Role, atMs: number): void {
    for (const change of changes) this.#add(engineChange(change, roleOf(change.pool), atMs));
  }

  workers({ died, hung }: Pick<WorkerCounts, "died" | "hung">, atMs: number): void {
    const before = this.#workers;
    this.#workers = { died, hung };
    if (before === undefined || died + hung <= before.died + before.hung) return;
    const text =
      hung > before.hung ? "A worker hung and was replaced" : "A worker died and was replaced";
    this.#add({ atMs, level: "bad", text, why: "the error log says more" });
  }

  config(config: object, atMs: number): void {
    const isFirst = this.#config === undefined;
    if (this.#config === config) return;
    this.#config = config;
    if (!isFirst) this.#add({ atMs, level: "note", text: "Another configuration is in force" });
  }

  #add(change: Change): void {
    this.#all = [change, ...this.#all].slice(0, listedChangesMax);
  }
}

function engineChange(
  { pool, engine, from, to, burst }: StateChange,
  role: Role,
  atMs: number,
): Change {
  const name = `${role === "serve" ? pool : role} ${engine}`;
  const where = { atMs, pool, engine };
  if (to === undefined) return { ...where, level: "note", text: `${name} has left` };
  const isBack = from !== undefined && to.state === "healthy";
  const what = isBack ? "is healthy again" : (words[to.state] ?? to.state);
  const text = `${name} ${from === undefined ? `has come: ${what}` : what}`;
  const isIll = to.state === "ejected" || to.state === "degraded";
  const failures = isIll && burst !== undefined ? burstText(burst) : "";
  const why = failures !== "" ? failures : isIll ? (to.why ?? "") : "";
  return { ...where, level: levels[to.state] ?? "note", text, ...(why !== "" && { why }) };
}
