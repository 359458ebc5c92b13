/** Log formats, access logs and the one error log. */
import { didYouMean } from "../../problems/suggest.ts";
import { builtInLogFormats } from "../../schema/logs.ts";
import type { ConfigInput } from "../../schema/schema.ts";
import type { Block } from "../directives/block.ts";
import type { RouteInput } from "../directives/http/location.ts";
import { accessLog, logFormat } from "../directives/http/log.ts";
import { server } from "../directives/http/server.ts";
import { errorLog } from "../directives/main.ts";
import type { Loading } from "../reading/scope.ts";
import type { Report } from "../syntax/report.ts";

type LogFormats = NonNullable<ConfigInput["logFormats"]>;

export function readLogFormats(http: Block, { report, variables }: Loading): LogFormats {
  const formats = new Map<string, LogFormats[string]>();
  for (const { value } of http.own(logFormat)) {
    const { name, format } = value;
    if (name.text === "combined" || formats.has(name.text)) {
      report.emerg(name.position, `duplicate "log_format" name "${name.text}"`);
    }
    formats.set(name.text, { ...format, format: variables.inLog(format.format) });
  }
  checkUses(http, [...new Set([...builtInLogFormats, ...formats.keys()])], report);
  return Object.fromEntries(formats);
}

/** Reports unknown formats, even of logs that nothing writes to. */
function checkUses(block: Block, known: readonly string[], report: Report): void {
  for (const { value } of block.own(accessLog)) {
    if (value.off || value.format === undefined || known.includes(value.format.text)) continue;
    const { text, position } = value.format;
    report.emerg(position, `unknown log format "${text}"`, didYouMean(text, known));
  }
  for (const entry of block.entries) {
    if (entry.block !== undefined) checkUses(entry.block, known, report);
  }
}

export function readAccessLogs(block: Block): NonNullable<RouteInput["accessLogs"]> {
  const logs = block.inherited(accessLog).map(({ value }) => value);
  if (logs.some(({ off }) => off)) return [];
  return logs.flatMap((log) => {
    if (log.off) return [];
    const { file, format, condition } = log;
    return [
      {
        file,
        ...(format && { format: format.text }),
        ...(condition !== undefined && condition !== "" && { if: condition }),
      },
    ];
  });
}

/** nginx has one per level. Here http comes first, since most is logged there. The default level is nginx's. */
export function readErrorLog(main: Block, http: Block, report: Report): ConfigInput["errorLog"] {
  const servers = http.own(server).map(({ block }) => block!);
  const entries = [http, main, ...servers].flatMap((block) => block.own(errorLog));
  const [first, ...others] = entries;
  const differing = others.find(
    ({ value }) => value.file !== first!.value.file || value.level !== first!.value.level,
  );
  if (differing !== undefined) {
    const { name } = differing.node;
    const { line } = first!.node.name.position;
    const message = `there is only one error log: that of line ${line} is used`;
    report.notice("error_log", name.position, message);
  }
  return first?.value ?? { level: "error" };
}
