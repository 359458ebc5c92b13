/**
 * Whether the log files of a configuration can be opened: checked before it is applied, since later lines would be
 * lost.
 */
import type { Config } from "../../config/schema/schema.ts";
import { logFileProblem } from "../../observe/log-file.ts";
import { ServeError } from "../serve-error.ts";

/** Throws `ServeError` for a log that cannot be opened. */
export function checkLogFiles({ errorLog, record, servers }: Config): void {
  const files = new Set([errorLog.file, ...(record ? [record.file] : [])]);
  for (const { routes } of servers) {
    for (const { accessLogs } of routes) for (const { file } of accessLogs) files.add(file);
  }
  for (const file of files) {
    const problem = logFileProblem(file);
    if (problem !== undefined) throw new ServeError(problem, "GP_LOG_FILE");
  }
}
