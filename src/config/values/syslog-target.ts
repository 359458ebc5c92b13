/** A log that goes to a syslog daemon: `syslog:server=127.0.0.1:514,facility=local7,tag=x`, in nginx's words. */

import type { LogLevel } from "../schema/schema.ts";
import { logLevels } from "./log-levels.ts";

export interface SyslogTarget {
  readonly host: string;
  readonly port: number;
  /** RFC 3164, section 4.1.1. */
  readonly facility: number;
  /** Of lines that have no level of their own. */
  readonly severity: LogLevel;
  readonly tag: string;
  /** Whether messages name this machine. */
  readonly namesHost: boolean;
}

/** By their numbers, in nginx's words. */
const facilities: readonly string[] = [
  ..."kern user mail daemon auth intern lpr news uucp clock authpriv ftp ntp audit alert cron".split(
    " ",
  ),
  ...Array.from({ length: 8 }, (_, n) => `local${n}`),
];
const usualPort = 514;
const tagCharsMax = 32;

export function isSyslog(file: string): boolean {
  return file.startsWith("syslog:");
}

/** @param text after `syslog:` */
export function parseSyslog(text: string): SyslogTarget | { readonly problem: string } {
  const given = new Map<string, string>();
  for (const part of text.split(",")) {
    const [, name = part, value = ""] = /^([a-z]+)=(.*)$/s.exec(part) ?? [];
    const isKnown = /^(?:server|facility|severity|tag)$/.test(name) && part.includes("=");
    if (!isKnown && part !== "nohostname") return { problem: `unknown syslog parameter "${part}"` };
    if (isKnown && given.has(name)) return { problem: `duplicate syslog "${name}"` };
    given.set(name, value);
  }
  const server = given.get("server");
  if (server === undefined) return { problem: "no syslog server specified" };
  const facility = facilities.indexOf(given.get("facility") ?? "local7");
  if (facility < 0) return { problem: `unknown syslog facility "${given.get("facility")}"` };
  const severity = logLevels.find((level) => level === (given.get("severity") ?? "info"));
  if (severity === undefined) {
    return { problem: `unknown syslog severity "${given.get("severity")}"` };
  }
  const tag = given.get("tag") ?? "nginx";
  if (tag.length > tagCharsMax) return { problem: "syslog tag length exceeds 32" };
  if (!/^\w*$/.test(tag)) {
    return { problem: 'syslog "tag" only allows alphanumeric characters and underscore' };
  }
  const address = addressOf(server);
  if ("problem" in address) return address;
  return { ...address, facility, severity, tag, namesHost: !given.has("nohostname") };
}

function addressOf(server: string): Pick<SyslogTarget, "host" | "port"> | { problem: string } {
  if (server.startsWith("unix:")) {
    return {
      problem: `the runtime has no datagrams on unix sockets: have the daemon listen on UDP`,
    };
  }
  const [, ipv6, name, digits] = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d+))?$/.exec(server) ?? [];
  const host = ipv6 ?? name;
  const port = digits === undefined ? usualPort : Number(digits);
  if (host === undefined || port < 1 || port > 65_535) {
    return { problem: `invalid address in syslog server "${server}"` };
  }
  return { host, port };
}
