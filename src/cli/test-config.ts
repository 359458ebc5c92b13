/** `-t` and `-T`: checks a configuration, reports as nginx does, and dumps the result. */
import { sourceFileProblems } from "../config/check/check-source-files.ts";
import type { Runtime } from "../config/check/runtime.ts";
import { type ConfigSource, configFilePath, type LoadResult, loadConfig } from "../config/load.ts";
import type { Config } from "../config/schema/schema.ts";
import { maskConfig } from "../config/values/secrets.ts";
import { toFullYaml } from "../config/yaml/write-yaml.ts";
import { readAccess } from "../control/admin/access.ts";
import { listenerOf } from "../control/admin/listeners.ts";
import { readCredentials } from "../control/process/credentials.ts";
import { checkLogFiles } from "../control/process/log-files.ts";
import { print, printError, printMessage, printProblem } from "./print.ts";

export async function testConfig(
  source: ConfigSource,
  runtime: Runtime,
  { dump, quiet }: { readonly dump: boolean; readonly quiet: boolean },
): Promise<number> {
  const name = "flags" in source ? "command line" : `file ${configFilePath(source)}`;
  const loaded = await loadConfig(source, runtime);
  if (!quiet) loaded.notices.forEach(printProblem);
  if (!passes(loaded)) {
    printError(`global-proxy: configuration ${name} test failed\n`);
    return 1;
  }
  if (!quiet) {
    printError(`global-proxy: the configuration ${name} syntax is ok\n`);
    printError(`global-proxy: configuration ${name} test is successful\n`);
  }
  if (dump) print(`# configuration ${name}:\n${toFullYaml(maskConfig(loaded.config).config)}`);
  return 0;
}

function passes(loaded: LoadResult): loaded is Extract<LoadResult, { config: Config }> {
  if ("errors" in loaded) {
    loaded.errors.forEach(printProblem);
    return false;
  }
  const problems = sourceFileProblems(loaded.config);
  problems.forEach(printProblem);
  if (problems.length > 0) return false;
  try {
    checkLogFiles(loaded.config);
    readCredentials(loaded.config);
    for (const name of ["admin", "metrics"] as const) {
      const listener = listenerOf(loaded.config, name);
      if (listener !== undefined) readAccess(listener, name);
    }
    return true;
  } catch (error) {
    printMessage("emerg", (error as Error).message);
    return false;
  }
}
