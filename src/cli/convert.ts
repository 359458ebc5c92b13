/** `convert`: prints a configuration as YAML that means the same. */
import { Command } from "commander";
import type { Runtime } from "../config/check/runtime.ts";
import { loadAsWritten } from "../config/load.ts";
import { toYaml } from "../config/yaml/write-yaml.ts";
import { print, printProblem } from "./print.ts";

export function convertCommand(runtime: Runtime, onCode: (code: number) => void): Command {
  return new Command("convert")
    .description("print an nginx.conf as YAML")
    .argument("<file>", "nginx.conf")
    .option("-p, --prefix <folder>", "where a relative FILE starts")
    .option("-g, --directives <text>", "directives before the file's own")
    .action((file: string, options: { prefix?: string; directives?: string }) => {
      onCode(convert({ file, ...options }, runtime));
    });
}

function convert(
  source: Parameters<typeof loadAsWritten>[0] & { file: string },
  runtime: Runtime,
): number {
  // What is written may well be meant for another machine.
  const loaded = loadAsWritten(source, { ...runtime, sharedPorts: true });
  loaded.notices.forEach(printProblem);
  if ("errors" in loaded) {
    loaded.errors.forEach(printProblem);
    return 1;
  }
  print(`# From ${source.file}.\n${toYaml(loaded.config)}`);
  return 0;
}
