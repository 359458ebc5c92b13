/** `global-proxy/config`: reads and checks a configuration as the command line does. */
import { currentRuntime } from "./check/runtime.ts";
import { loadConfig } from "./load.ts";
import { type ConfigProblem, formatProblem } from "./problems/problem.ts";
import type { Config } from "./schema/schema.ts";

export type { ConfigProblem } from "./problems/problem.ts";
export type { Config, ConfigInput } from "./schema/schema.ts";
export { formatProblem };

export type CheckedConfig =
  | {
      readonly config: Config;
      /** Warnings, and settings without effect. */
      readonly notices: readonly ConfigProblem[];
      readonly errors?: never;
    }
  | {
      readonly errors: readonly ConfigProblem[];
      readonly notices: readonly ConfigProblem[];
      readonly config?: never;
    };

/**
 * Reads a file: YAML where its name ends in `.yaml`, `.yml` or `.json`, else nginx.conf. Checks it for the runtime that
 * this runs on, and loads the modules of custom policies. A configuration that is wrong is a result; only a fault of
 * the program throws.
 */
export async function checkFile(file: string): Promise<CheckedConfig> {
  const loaded = await loadConfig({ file }, currentRuntime());
  if ("errors" in loaded) return loaded;
  const { config, notices } = loaded;
  return { config, notices };
}
