/** nginx.conf → `Config`, or what is wrong with it. */
import { dirname } from "node:path";
import { schemaFaults } from "../check/schema-faults.ts";
import type { ConfigFault } from "../problems/fault.ts";
import {
  type ConfigProblem,
  commandLine,
  inFileOrder,
  problemAt,
  wholeFile,
} from "../problems/problem.ts";
import { type Config, type ConfigInput, configSchema } from "../schema/schema.ts";
import { adapt } from "./adapt/adapter.ts";
import { Block, fillBlock } from "./directives/block.ts";
import type { Loading } from "./reading/scope.ts";
import { Variables } from "./reading/variables.ts";
import { ConfSyntaxError } from "./syntax/lexer.ts";
import { type ConfFiles, Parser } from "./syntax/parser.ts";
import { Places } from "./syntax/places.ts";
import { Report } from "./syntax/report.ts";

export interface NginxOptions extends ConfFiles {
  /**
   * Relative paths of unix sockets, log files and pid files start here. (Those of log and pid files are not changed
   * here.) Included files are relative to the folder of the configuration.
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
      /** Warnings, and one notice for each directive that has no effect here. */
      readonly notices: readonly ConfigProblem[];
      /** The place in the files of a fault that is found in `config` later. */
      readonly locate: (fault: ConfigFault) => ConfigProblem;
      readonly errors?: never;
    }
  | {
      readonly errors: readonly ConfigProblem[];
      readonly notices: readonly ConfigProblem[];
      readonly config?: never;
    };

/** Never throws because of what the files hold. */
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
    const { prefix } = options;
    const folder = dirname(file);
    const loading: Loading = { report, variables: new Variables(), prefix, folder };
    const main = readMain(file, options, loading);
    if (errors.length > 0) return { errors };
    const input = adapt(main, loading, places);
    if (errors.length > 0) return { errors };
    const parsed = configSchema.safeParse(input);
    if (parsed.success) return { config: parsed.data, input, locate: places.locate };
    return { errors: schemaFaults(parsed.error.issues, input).map(places.locate) };
  } catch (error) {
    if (!(error instanceof ConfSyntaxError)) throw error;
    const { position, message, hint } = error;
    return { errors: [problemAt(position, { level: "emerg", message, hint })] };
  }
}

function readMain(file: string, options: NginxOptions, loading: Loading): Block {
  const { globalDirectives = "" } = options;
  const parser = new Parser(file, options, loading.report);
  const main = new Block("main", wholeFile(file));
  fillBlock(main, parser.parseText(globalDirectives, commandLine), loading);
  fillBlock(main, parser.parseFile(file), loading);
  loading.variables.checkUses(loading.report);
  return main;
}
