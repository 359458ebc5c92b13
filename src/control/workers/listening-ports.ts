/** Which ports of this machine are listened on, without listening on any. */
import { readFileSync } from "node:fs";

/** A line of a listening socket: `0: 0100007F:1F90 00000000:0000 0A …`. */
const listening = /^ *\d+: [0-9A-F]+:([0-9A-F]{4}) [0-9A-F]+:[0-9A-F]{4} 0A /gm;

/** By Linux's /proc, in this network namespace, on any address; undefined = the system does not say. */
export function listeningPorts(): ReadonlySet<number> | undefined {
  try {
    const tables = ["/proc/net/tcp", "/proc/net/tcp6"].map((path) => readFileSync(path, "latin1"));
    return portsOf(tables.join(""));
  } catch {
    return undefined;
  }
}

function portsOf(table: string): ReadonlySet<number> {
  return new Set([...table.matchAll(listening)].map(([, port]) => Number.parseInt(port!, 16)));
}
