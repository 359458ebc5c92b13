/** Runs reloads one after the other. A reload that is requested while one runs is done once more afterwards. */
import type { LoadResult } from "../../config/load.ts";
import { formatProblem } from "../../config/problems/problem.ts";
import type { Config } from "../../config/schema/schema.ts";
import type { ErrorLog } from "../../observe/error-log.ts";

export class Reloads {
  readonly #reload: () => Promise<void>;
  #running: Promise<void> | undefined;
  #isRequested = false;

  /** @param reload never rejects */
  constructor(reload: () => Promise<void>) {
    this.#reload = reload;
  }

  /** Resolves when all requested reloads are done. */
  request(): Promise<void> {
    // The file may have changed after the running reload read it.
    this.#isRequested = true;
    this.#running ??= this.#runRequested();
    return this.#running;
  }

  /** Runs another change of the configuration when no reload runs. @param change never rejects */
  async between(change: () => Promise<void>): Promise<void> {
    while (this.#running !== undefined) await this.#running;
    this.#running = change().then(() => this.#runRequested());
    await this.#running;
  }

  async #runRequested(): Promise<void> {
    while (this.#isRequested) {
      this.#isRequested = false;
      await this.#reload();
    }
    this.#running = undefined;
  }
}

/** The configuration as written now. If it has errors, logs them and returns undefined. */
export async function loadAgain(
  load: () => LoadResult | Promise<LoadResult>,
  log: ErrorLog,
): Promise<Config | undefined> {
  const loaded = await load();
  for (const problem of "errors" in loaded ? loaded.errors : loaded.notices) {
    const { level } = problem;
    // Notices name settings without effect; `-t` shows them.
    if (level !== "notice") log.log(level, formatProblem(problem).replace(`[${level}] `, ""));
  }
  if (!("errors" in loaded)) return loaded.config;
  log.error("the configuration has errors; the old one stays in force");
  return undefined;
}
