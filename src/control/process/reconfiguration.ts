/** Changes of what an instance serves by: reloads of the file, and what operators change while it runs. */
import { checkConfig } from "../../config/check/check.ts";
import { checkPolicyModules } from "../../config/check/check-policy-modules.ts";
import { sourceFilesOf } from "../../config/check/check-source-files.ts";
import { countWorkers, type Runtime } from "../../config/check/runtime.ts";
import type { LoadedConfig, LoadResult } from "../../config/load.ts";
import { problemText } from "../../config/problems/problem.ts";
import type { Config } from "../../config/schema/schema.ts";
import { configChanges } from "../../config/values/config-changes.ts";
import type { ErrorLog } from "../../observe/error-log.ts";
import type { ConfigurationControl, ReloadReport } from "../admin/admin-source.ts";
import { Reloads } from "./reloads.ts";
import { withRequirements } from "./requirements.ts";

export interface ReconfigurationDeps {
  readonly runtime: Runtime;
  readonly log: ErrorLog;
  load(): LoadResult | Promise<LoadResult>;
  /** Why nothing can be changed now; undefined = it can. */
  obstacle(): string | undefined;
  readonly plane: {
    readonly config: Config;
    readonly workers: number;
    apply(config: Config): Promise<void>;
  };
  /** This configuration is in force. */
  applied(config: Config): void;
}

export class Reconfiguration implements ConfigurationControl {
  readonly #deps: ReconfigurationDeps;
  readonly #reloads = new Reloads(() => this.#reloadOnce());
  /** As the file or the flags have it, without what operators have changed since. */
  #written: Config;

  constructor(deps: ReconfigurationDeps) {
    this.#deps = deps;
    this.#written = deps.plane.config;
  }

  get written(): Config {
    return this.#written;
  }

  /** Reads the configuration again and applies it; on any error the old one stays. Resolves when that is decided. */
  reload(): Promise<ReloadReport> {
    return this.#reloads.request();
  }

  /** Runs something else that must not meet a reload. */
  between(change: () => Promise<void>): Promise<void> {
    return this.#reloads.between(change);
  }

  /** What a reload would change now. */
  async difference(): Promise<ReloadReport> {
    const { plane } = this.#deps;
    const loaded = await this.#load();
    if ("errors" in loaded) return { failed: invalid, problems: loaded.errors };
    const changes = configChanges(plane.config, loaded.config);
    return { changes, warnings: this.#warningsOf(loaded) };
  }

  /**
   * Serves by another configuration until the next reload.
   * @returns why it cannot be; none = it is in force
   */
  async change(update: (config: Config) => Config): Promise<readonly string[]> {
    const { plane, runtime, log } = this.#deps;
    let problems: readonly string[] = [];
    await this.#reloads.between(async () => {
      const obstacle = this.#deps.obstacle();
      const config = update(plane.config);
      const faults = [...checkConfig(config, runtime), ...(await checkPolicyModules(config))];
      const known = new Set(checkConfig(plane.config, runtime).map(({ message }) => message));
      const errors = faults.filter(
        ({ level, message }) => level === "emerg" && !known.has(message),
      );
      problems = obstacle === undefined ? errors.map(({ message }) => message) : [obstacle];
      if (problems.length > 0) return;
      const changes = configChanges(plane.config, config);
      try {
        await this.#apply(config);
        const what = changes.map(({ path }) => path).join(", ");
        log.notice(`an operator has changed ${what} until the next reload`);
      } catch (error) {
        problems = [(error as Error).message];
      }
    });
    return problems;
  }

  async #reloadOnce(): Promise<ReloadReport> {
    const { log, plane } = this.#deps;
    const obstacle = this.#deps.obstacle();
    if (obstacle !== undefined) {
      log.warn(`no reload: ${obstacle}`);
      return { failed: obstacle, problems: [] };
    }
    log.notice("reconfiguring");
    try {
      const loaded = await this.#load();
      logProblems(loaded, log);
      if ("errors" in loaded) return { failed: invalid, problems: loaded.errors };
      const { config } = loaded;
      const changes = configChanges(plane.config, config);
      await this.#apply(config);
      this.#written = config;
      log.notice("the new configuration is in force");
      return { changes, warnings: this.#warningsOf(loaded) };
    } catch (error) {
      const { message } = error as Error;
      log.emerg(message);
      log.error("the old configuration stays in force");
      return { failed: `${message}; the old configuration stays in force`, problems: [] };
    }
  }

  /** Reads the configuration with all that a reload checks before it applies it. */
  async #load(): Promise<LoadResult> {
    const { plane, load } = this.#deps;
    const kept = new Set(sourceFilesOf(plane.config));
    return withRequirements(await load(), (file) => kept.has(file));
  }

  async #apply(config: Config): Promise<void> {
    const { plane, log } = this.#deps;
    await plane.apply(config);
    // A signal may have stopped it meanwhile.
    if (this.#deps.obstacle() !== undefined) return;
    const problem = this.#workersProblem(config);
    if (problem !== undefined) log.warn(problem);
    this.#deps.applied(config);
  }

  #warningsOf({ config, notices }: LoadedConfig): string[] {
    const warnings = notices.filter(({ level }) => level === "warn");
    const problem = this.#workersProblem(config);
    return [...warnings.map(problemText), ...(problem === undefined ? [] : [problem])];
  }

  #workersProblem(config: Config): string | undefined {
    const { workers } = this.#deps.plane;
    const wanted = countWorkers(config.workers, this.#deps.runtime);
    if (wanted === workers) return undefined;
    const what = `the number of workers stays ${workers}`;
    return `${what}: a reload cannot change it, restart or upgrade to get ${wanted}`;
  }
}

const invalid = "the configuration has errors; the old one stays in force";

/** Notices name settings without effect; `-t` shows them. */
function logProblems(loaded: LoadResult, log: ErrorLog): void {
  for (const problem of "errors" in loaded ? loaded.errors : loaded.notices) {
    if (problem.level !== "notice") log.log(problem.level, problemText(problem));
  }
  if ("errors" in loaded) log.error(invalid);
}
