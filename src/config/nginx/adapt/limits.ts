/** How much of a location one client may use. */
import type { ConfigInput } from "../../schema/schema.ts";
import type { Block, Entry } from "../directives/block.ts";
import {
  type LimitZone,
  limitConn,
  limitConnDryRun,
  limitConnLogLevel,
  limitConnStatus,
  limitConnZone,
  limitReq,
  limitReqDryRun,
  limitReqLogLevel,
  limitReqStatus,
  limitReqZone,
} from "../directives/http/limits.ts";
import type { RouteInput } from "../directives/http/location.ts";
import type { Report } from "../syntax/report.ts";

/** What nginx needs for a key, in bytes. */
const requestKeyBytes = 128;
const connectionKeyBytes = 64;
const keysMax = 1_048_576;

/** Reports limits whose zone there is not. */
export function readLimitZones(
  http: Block,
  report: Report,
): Pick<ConfigInput, "requestZones" | "connectionZones"> {
  const requests = zonesOf(http.own(limitReqZone), report);
  const connections = zonesOf(http.own(limitConnZone), report);
  checkUses(http, new Set(requests.keys()), new Set(connections.keys()), report);
  return {
    requestZones: Object.fromEntries(
      [...requests].map(([name, { key, bytes, perMinute }]) => [
        name,
        { key, perMinute, keysMax: Math.min(keysMax, Math.floor(bytes / requestKeyBytes)) },
      ]),
    ),
    connectionZones: Object.fromEntries(
      [...connections].map(([name, { key, bytes }]) => [
        name,
        { key, keysMax: Math.min(keysMax, Math.floor(bytes / connectionKeyBytes)) },
      ]),
    ),
  };
}

function zonesOf(entries: readonly Entry<LimitZone>[], report: Report): Map<string, LimitZone> {
  const zones = new Map<string, LimitZone>();
  for (const { node, value } of entries) {
    const known = zones.get(value.name);
    if (known !== undefined) {
      const message = `${node.name.text} "${value.name}" is already bound to key "${known.key}"`;
      report.emerg(node.name.position, message);
    }
    zones.set(value.name, value);
  }
  return zones;
}

function checkUses(
  block: Block,
  requests: ReadonlySet<string>,
  connections: ReadonlySet<string>,
  report: Report,
): void {
  const check = (
    entries: readonly Entry<{ readonly zone: string }>[],
    known: ReadonlySet<string>,
    others: ReadonlySet<string>,
  ) => {
    const used = new Set<string>();
    for (const { node, value } of entries) {
      const { position, text } = node.name;
      if (used.has(value.zone)) report.emerg(position, `"${text}" directive is duplicate`);
      used.add(value.zone);
      if (known.has(value.zone)) continue;
      const message = others.has(value.zone)
        ? `the shared memory zone "${value.zone}" is already declared for a different use`
        : `zero size shared memory zone "${value.zone}"`;
      report.emerg(position, message);
    }
  };
  check(block.own(limitReq), requests, connections);
  check(block.own(limitConn), connections, requests);
  for (const { block: inner } of block.entries) {
    if (inner !== undefined) checkUses(inner, requests, connections, report);
  }
}

export function readLimits(block: Block): Partial<RouteInput> {
  const requests = block.inherited(limitReq).map(({ value }) => value);
  const connections = block.inherited(limitConn).map(({ value }) => value);
  return {
    ...(requests.length > 0 && {
      requestLimits: {
        zones: requests,
        status: block.value(limitReqStatus, 503),
        logLevel: block.value(limitReqLogLevel, "error"),
        dryRun: block.value(limitReqDryRun, false),
      },
    }),
    ...(connections.length > 0 && {
      connectionLimits: {
        zones: connections,
        status: block.value(limitConnStatus, 503),
        logLevel: block.value(limitConnLogLevel, "error"),
        dryRun: block.value(limitConnDryRun, false),
      },
    }),
  };
}
