/** `-t` and `-T`: checks a configuration, reports as nginx does, and dumps the result. */
import type { Runtime } from "../config/check/runtime.ts";
import { type ConfigSource, configFilePath, loadConfig } from "../config/load.ts";
import { maskConfig } from "../config/values/secrets.ts";
import { toFullYaml } from "../config/yaml/write-yaml.ts";
import { withRequirements } from "../control/process/requirements.ts";
import { print, printError, printProblem } from "./print.ts";

export async function testConfig(
  source: ConfigSource,
  runtime: Runtime,
  { dump, quiet }: { readonly dump: boolean; readonly quiet: boolean },
): Promise<number> {
  const name = "flags" in source ? "command line" : `file ${configFilePath(source)}`;
  const loaded = withRequirements(await loadConfig(source, runtime));
  if (!quiet) loaded.notices.forEach(printProblem);
  if ("errors" in loaded) {
    loaded.errors.forEach(printProblem);
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
