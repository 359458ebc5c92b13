/** `convert`: prints a configuration as YAML with the same meaning. */
import { Command } from "commander";
import type { Runtime } from "../../config/check/runtime.ts";
import { loadAsWritten } from "../../config/load.ts";
import { toYaml } from "../../config/yaml/write-yaml.ts";
import { print, printProblem } from "../print.ts";

export function convertCommand(runtime: Runtime, onCode: (code: number) => void): Command {
  return new Command("convert")
    .description("print an nginx.conf as YAML")
    .argument("<file>", "nginx.conf")
    .option("-p, --prefix <folder>", "folder that a relative FILE is in")
    .option("-g, --directives <text>", "global directives besides those of the file")
    .action((file: string, options: { prefix?: string; directives?: string }) => {
      onCode(convert({ file, ...options }, runtime));
    });
}

function convert(
  source: Parameters<typeof loadAsWritten>[0] & { file: string },
  runtime: Runtime,
): number {
  // The configuration may be meant for another machine.
  const loaded = loadAsWritten(source, { ...runtime, sharedPorts: true });
  loaded.notices.forEach(printProblem);
  if ("errors" in loaded) {
    loaded.errors.forEach(printProblem);
    return 1;
  }
  print(`# From ${source.file}.\n${toYaml(loaded.config)}`);
  return 0;
}
