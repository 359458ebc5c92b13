/** nginx.conf → `Config`, or what is wrong with it. */

import { type ConfigFault, schemaFaults } from "../check/schema-faults.ts";
import type { ConfigProblem } from "../problems/problem.ts";
import { type Config, type ConfigInput, configSchema } from "../schema/schema.ts";
import { adapt } from "./adapt/adapter.ts";
import { Block, fillBlock } from "./directives/block.ts";
import type { Loading } from "./reading/scope.ts";
import { Variables } from "./reading/variables.ts";
import { SyntaxProblem } from "./syntax/lexer.ts";
import { type ConfFiles, Parser } from "./syntax/parser.ts";
import { Places } from "./syntax/places.ts";
import { inFileOrder, problem, Report } from "./syntax/report.ts";

export interface NginxOptions extends ConfFiles {
  /**
   * Relative paths of unix sockets start here, and those of log and pid files, which stay as they are written. Those of included
   * files start in the folder of the configuration.
   */
  readonly prefix: string;
  /** Directives of the main block from the command line (`-g`). They come before those of the file. */
  readonly globalDirectives?: string;
}

export type NginxResult =
  | {
      readonly config: Config;
      /** The same, with only what the file says and nginx's own defaults in place of ours. */
      readonly input: ConfigInput;
      /** Warnings, and what has no effect here: one notice per directive name. */
      readonly notices: readonly ConfigProblem[];
      /** Puts what is found in `config` later at its place in the files. */
      readonly locate: (fault: ConfigFault) => ConfigProblem;
      readonly errors?: never;
    }
  | {
      readonly errors: readonly ConfigProblem[];
      readonly notices: readonly ConfigProblem[];
      readonly config?: never;
    };

const commandLine = "command line";

/** Never throws on account of what the files hold. */
export function loadNginx(file: string, options: NginxOptions): NginxResult {
  const report = new Report();
  const result = load(file, options, report);
  const notices = inFileOrder(report.notices);
  return "config" in result
    ? { ...result, notices }
    : { errors: inFileOrder(result.errors), notices };
}

type Loaded =
  | Pick<Extract<NginxResult, { config: Config }>, "config" | "input" | "locate">
  | { readonly errors: readonly ConfigProblem[] };

function load(file: string, options: NginxOptions, report: Report): Loaded {
  const places = new Places(file);
  const { errors } = report;
  try {
    const loading: Loading = { report, variables: new Variables(), prefix: options.prefix };
    const main = readMain(file, options, loading);
    if (errors.length > 0) return { errors };
    const input = adapt(main, loading, places);
    if (errors.length > 0) return { errors };
    const parsed = configSchema.safeParse(input);
    if (parsed.success) return { config: parsed.data, input, locate: places.locate };
    return { errors: schemaFaults(parsed.error.issues, input).map(places.locate) };
  } catch (error) {
    if (!(error instanceof SyntaxProblem)) throw error;
    return { errors: [problem("emerg", error.position, error.message, error.hint)] };
  }
}

function readMain(file: string, options: NginxOptions, loading: Loading): Block {
  const { globalDirectives = "" } = options;
  const parser = new Parser(file, options, loading.report);
  const main = new Block("main", { file, line: 0, column: 0 });
  fillBlock(main, parser.parseText(globalDirectives, commandLine), loading);
  fillBlock(main, parser.parseFile(file), loading);
  loading.variables.checkUses(loading.report);
  return main;
}
