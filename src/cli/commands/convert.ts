/** `convert`: prints a configuration as YAML with the same meaning. */
import { Command } from "commander";
import type { Runtime } from "../../config/check/runtime.ts";
import { loadAsWritten } from "../../config/load.ts";
import { maskConfig } from "../../config/values/secrets.ts";
import { toYaml } from "../../config/yaml/write-yaml.ts";
import { print, printMessage, printProblem } from "../print.ts";

export function convertCommand(runtime: Runtime, onCode: (code: number) => void): Command {
  return new Command("convert")
    .description("print an nginx.conf as YAML")
    .argument("<file>", "nginx.conf")
    .option("-p, --prefix <folder>", "folder that a relative FILE is in")
    .option("-g, --directives <text>", "global directives besides those of the file")
    .option("--secrets", "print secrets too, which are *** otherwise")
    .action((file: string, options: ConvertOptions) => {
      onCode(convert({ file, ...options }, runtime));
    });
}

interface ConvertOptions {
  readonly prefix?: string;
  readonly directives?: string;
  readonly secrets?: boolean;
}

function convert(
  { secrets, ...source }: ConvertOptions & { readonly file: string },
  runtime: Runtime,
): number {
  // The configuration may be meant for another machine.
  const loaded = loadAsWritten(source, { ...runtime, sharedPorts: true });
  loaded.notices.forEach(printProblem);
  if ("errors" in loaded) {
    loaded.errors.forEach(printProblem);
    return 1;
  }
  const { config, count } = secrets
    ? { config: loaded.config, count: 0 }
    : maskConfig(loaded.config);
  if (count > 0) {
    const what = count === 1 ? "1 secret is" : `${count} secrets are`;
    printMessage("warn", `${what} hidden as ***: --secrets prints them`);
  }
  print(`# From ${source.file}.\n${toYaml(config)}`);
  return 0;
}
