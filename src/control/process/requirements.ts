/**
 * What a configuration needs that stands outside it: lists of engines, log files, keys and tokens. `-t`, a start, a
 * reload and the difference that a reload would make all ask here, so that none finds right what another refuses.
 */
import { sourceFileProblems } from "../../config/check/check-source-files.ts";
import type { LoadedConfig, LoadResult } from "../../config/load.ts";
import type { ConfigPath } from "../../config/problems/fault.ts";
import type { ConfigProblem } from "../../config/problems/problem.ts";
import type { Config } from "../../config/schema/schema.ts";
import { logFileProblem } from "../../observe/log-file.ts";
import { readAccess } from "../admin/access.ts";
import { listenerOf } from "../admin/listeners.ts";
import { certificateWarnings, operatorContext } from "../certificates.ts";
import { ServeError } from "../serve-error.ts";
import { type CredentialReader, credentialReaders, noKeysWarning } from "./credentials.ts";

/**
 * The same configuration, with what is missing of all that.
 * @param isKept the list of engines in this file is known already: one that cannot be read changes nothing
 */
export function withRequirements(
  loaded: LoadResult,
  isKept: (sourceFile: string) => boolean = () => false,
): LoadResult {
  if ("errors" in loaded) return loaded;
  const problems = requirementProblems(loaded, isKept);
  const errors = problems.filter(({ level }) => level === "emerg");
  const notices = [...loaded.notices, ...problems.filter(({ level }) => level !== "emerg")];
  return errors.length > 0 ? { errors, notices } : { ...loaded, notices };
}

function requirementProblems(
  { config, locate }: LoadedConfig,
  isKept: (sourceFile: string) => boolean,
): ConfigProblem[] {
  const problems = sourceFileProblems(config, isKept);
  const fail = (path: ConfigPath, message: string) =>
    problems.push(locate({ path, level: "emerg", message }));
  for (const [file, path] of logFilesOf(config)) {
    const problem = logFileProblem(file);
    if (problem !== undefined) fail(path, problem);
  }
  for (const { path, read } of readersOf(config)) {
    try {
      const { keys, tls } = read() ?? {};
      const doubts = tls === undefined ? [] : certificateWarnings(tls, config);
      for (const message of doubts) problems.push(locate({ path, level: "warn", message }));
      const warning = keys && noKeysWarning(config, keys.length);
      if (warning !== undefined) problems.push(locate({ path, level: "warn", message: warning }));
    } catch (error) {
      if (!(error instanceof ServeError)) throw error;
      if (error.problems.length > 0) problems.push(...error.problems);
      else fail(path, error.message);
    }
  }
  return problems;
}

/** Each file with the first place that names it. */
function logFilesOf({ errorLog, record, servers }: Config): ReadonlyMap<string, ConfigPath> {
  const files = new Map<string, ConfigPath>();
  const add = (file: string, path: ConfigPath) => {
    if (!files.has(file)) files.set(file, path);
  };
  add(errorLog.file, ["errorLog", "file"]);
  if (record !== undefined) add(record.file, ["record", "file"]);
  servers.forEach(({ routes }, server) => {
    routes.forEach(({ accessLogs }, route) => {
      accessLogs.forEach(({ file }, log) => {
        add(file, ["servers", server, "routes", route, "accessLogs", log, "file"]);
      });
    });
  });
  return files;
}

function readersOf(config: Config): readonly CredentialReader[] {
  return [...credentialReaders(config), ...tokenReaders(config)];
}

function tokenReaders(config: Config): readonly CredentialReader[] {
  return (["admin", "metrics"] as const).flatMap((name) => {
    const listener = listenerOf(config, name);
    return listener === undefined
      ? []
      : [
          { path: [name, "token"], read: () => void readAccess(listener, name) },
          {
            path: [name, "tls"],
            read: () => void (listener.tls && operatorContext(listener.tls)),
          },
        ];
  });
}
