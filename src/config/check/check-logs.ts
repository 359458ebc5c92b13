/** Checks of log formats and of the recorded trace. */
import type { ConfigPath } from "../problems/fault.ts";
import { isSyslog, parseSyslog } from "../values/syslog-target.ts";
import type { CheckContext } from "./context.ts";

export function checkLogFormats({ config, faults, texts }: CheckContext): void {
  for (const [name, { format }] of Object.entries(config.logFormats)) {
    const at = ["logFormats", name];
    if (name === "combined") {
      faults.emerg(at, '"combined" is a built-in log format', "choose another name");
    }
    texts.template([...at, "format"], format);
  }
}

export function checkErrorLog(context: CheckContext): void {
  checkSyslog(context, context.config.errorLog.file, ["errorLog", "file"]);
}

/** Whether a log that goes to a syslog daemon says where that is. */
export function checkSyslog({ faults }: CheckContext, file: string, path: ConfigPath): void {
  if (!isSyslog(file)) return;
  const target = parseSyslog(file.slice("syslog:".length));
  if ("problem" in target) faults.emerg(path, target.problem);
}

export function checkRecord({ config: { record, errorLog, servers }, faults }: CheckContext): void {
  if (record === undefined) return;
  const routes = servers.flatMap((server) => server.routes);
  const logs = routes.flatMap(({ accessLogs }) => accessLogs.map(({ file }) => file));
  if ([errorLog.file, ...logs].includes(record.file)) {
    const message = `a trace cannot be written to "${record.file}", which is a log`;
    faults.emerg(["record", "file"], message, "choose another file");
  }
}
