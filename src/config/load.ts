/** The one entry for every source of a configuration: nginx.conf, YAML or flags become one checked `Config`. */
import { readFileSync } from "node:fs";
import { isAbsolute, resolve } from "node:path";
import { checkConfig } from "./check/check.ts";
import type { Runtime } from "./check/runtime.ts";
import type { Flags } from "./flags/flags.ts";
import { parseFlags } from "./flags/parse-flags.ts";
import { loadNginx } from "./nginx/load.ts";
import { diskFiles } from "./nginx/syntax/files.ts";
import {
  type ConfigProblem,
  commandLine,
  inFileOrder,
  problemAt,
  wholeFile,
} from "./problems/problem.ts";
import { describeOpenError } from "./problems/system-error.ts";
import type { Config } from "./schema/schema.ts";
import { type Locate, parseYaml } from "./yaml/read-yaml.ts";

export interface FileSource {
  /** As given; a relative one starts at the prefix. */
  readonly file: string;
  /** Where relative paths start: the working directory unless given. */
  readonly prefix?: string;
  /** nginx directives that come before the file's own (`-g`). */
  readonly directives?: string;
}

export type ConfigSource = FileSource | { readonly flags: Flags };

export type LoadResult =
  | { readonly config: Config; readonly notices: readonly ConfigProblem[] }
  | { readonly errors: readonly ConfigProblem[]; readonly notices: readonly ConfigProblem[] };

/** What a front end returns, before the checks that all share. */
type Read =
  | {
      readonly config: Config;
      readonly locate: Locate;
      readonly notices?: readonly ConfigProblem[];
    }
  | { readonly errors: readonly ConfigProblem[]; readonly notices?: readonly ConfigProblem[] };

export function loadConfig(source: ConfigSource, runtime: Runtime): LoadResult {
  const loaded = loadAsWritten(source, runtime);
  if ("errors" in loaded) return loaded;
  const prefix = "flags" in source ? undefined : source.prefix;
  return { ...loaded, config: withFullPaths(loaded.config, resolve(prefix ?? ".")) };
}

/** The same, but relative paths stay as written: for the conversion to another format. */
export function loadAsWritten(source: ConfigSource, runtime: Runtime): LoadResult {
  const read = "flags" in source ? readFlags(source.flags) : readFile(source);
  const notices = [...(read.notices ?? [])];
  if ("errors" in read) return { errors: read.errors, notices };
  const problems = inFileOrder(checkConfig(read.config, runtime).map(read.locate));
  const errors = problems.filter(({ level }) => level === "emerg");
  notices.push(...problems.filter(({ level }) => level !== "emerg"));
  return errors.length > 0 ? { errors, notices } : { config: read.config, notices };
}

/** The absolute path of a source's file. */
export function configFilePath({ file, prefix }: FileSource): string {
  return resolve(prefix ?? ".", file);
}

function readFlags(flags: Flags): Read {
  const parsed = parseFlags(flags);
  if ("errors" in parsed) return parsed;
  return { config: parsed.config, locate: (fault) => problemAt(wholeFile(commandLine), fault) };
}

function readFile(source: FileSource): Read {
  const file = configFilePath(source);
  return /\.(ya?ml|json)$/i.test(file) ? readYaml(file, source) : readNginx(file, source);
}

function readYaml(file: string, { directives }: FileSource): Read {
  const fail = (message: string): Read => ({
    errors: [problemAt(wholeFile(file), { level: "emerg", message })],
  });
  if (directives !== undefined)
    return fail("-g adds nginx directives, which a YAML file cannot have");
  try {
    return parseYaml(readFileSync(file, "utf8"), file);
  } catch (error) {
    return fail(describeOpenError(file, error as NodeJS.ErrnoException));
  }
}

function readNginx(file: string, { prefix, directives }: FileSource): Read {
  return loadNginx(file, {
    ...diskFiles,
    prefix: resolve(prefix ?? "."),
    ...(directives === undefined ? {} : { globalDirectives: directives }),
  });
}

/** Absolute paths stay right in a reload from another directory. */
function withFullPaths(config: Config, prefix: string): Config {
  const full = (file: string) =>
    isAbsolute(file) || file === "stdout" || file === "stderr" ? file : resolve(prefix, file);
  const servers = config.servers.map((server) => ({
    ...server,
    routes: server.routes.map((route) => ({
      ...route,
      accessLogs: route.accessLogs.map((log) => ({ ...log, file: full(log.file) })),
    })),
  }));
  return {
    ...config,
    ...(config.pidFile === undefined ? {} : { pidFile: full(config.pidFile) }),
    errorLog: { ...config.errorLog, file: full(config.errorLog.file) },
    ...(config.record && { record: { ...config.record, file: full(config.record.file) } }),
    servers,
  };
}
