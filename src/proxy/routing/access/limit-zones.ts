/** The zones of a configuration, in which keys of clients are counted for the limits of routes. */
import type { Config } from "../../../config/schema/schema.ts";
import type { LogFields } from "../../../observe/error-log.ts";
import { layOutZones, type Zone, type ZoneCounts } from "../../../scoreboard/zone-counts.ts";

export interface LimitZones {
  readonly config: Pick<Config, "requestZones" | "connectionZones">;
  readonly counts: ZoneCounts;
  readonly places: ReadonlyMap<string, Zone>;
  log(level: "info" | "notice" | "warn" | "error", message: string, fields?: LogFields): void;
}

export function limitZones(
  config: Config,
  counts: () => ZoneCounts,
  log: LimitZones["log"],
): LimitZones | undefined {
  const { requestZones, connectionZones } = config;
  const requests = Object.entries(requestZones).map(([name, { keysMax }]) => ({
    name: requestZone(name),
    keysMax,
  }));
  const connections = Object.entries(connectionZones).map(([name, { keysMax }]) => ({
    name: connectionZone(name),
    keysMax,
  }));
  if (requests.length + connections.length === 0) return undefined;
  return { config, counts: counts(), places: layOutZones([...requests, ...connections]), log };
}

export const requestZone = (name: string) => `requests ${name}`;
export const connectionZone = (name: string) => `connections ${name}`;
