/** Opens a log by its name in the configuration: a file, or a syslog daemon. */
import { isSyslog } from "../config/values/syslog-target.ts";
import { LogFile, type LogFileOptions } from "./log-file.ts";
import type { LogOutput } from "./log-output.ts";
import { SyslogOutput } from "./syslog.ts";

/** @param wallMs the time since the epoch, for outputs that tell it */
export function openLog(options: LogFileOptions, wallMs: () => number): LogOutput {
  const { file, onError } = options;
  return isSyslog(file) ? new SyslogOutput(file, wallMs, onError) : new LogFile(options);
}
