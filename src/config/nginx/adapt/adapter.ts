/** The directives of all blocks → input for the schema of the configuration. */
import type { ConfigInput } from "../../schema/schema.ts";
import { Block } from "../directives/block.ts";
import { maps } from "../directives/http/map.ts";
import {
  admin,
  events,
  http,
  metrics,
  metricsVllmNames,
  pid,
  workerConnections,
  workerProcesses,
  workerShutdownTimeout,
} from "../directives/main.ts";
import type { Loading } from "../reading/scope.ts";
import type { Places } from "../syntax/places.ts";
import { ContentTypes } from "./files.ts";
import { readLimitZones } from "./limits.ts";
import { readErrorLog, readLogFormats } from "./logs.ts";
import { Pools } from "./pools.ts";
import { warnOfSelfLoops } from "./self-loops.ts";
import { readServers } from "./server.ts";
import { readTracing } from "./tracing.ts";

export function adapt(main: Block, loading: Loading, places: Places): ConfigInput {
  const { report } = loading;
  const httpBlock = main.own(http)[0]?.block ?? new Block("http", main.position, main);
  const pools = new Pools();
  const contentTypes = new ContentTypes();
  pools.addUpstreams(httpBlock, report, places);
  const formats = readLogFormats(httpBlock, loading);
  const servers = readServers(httpBlock, { loading, pools, contentTypes }, places);
  if (servers.length === 0) {
    const hint = "add a server block to the http block";
    report.emerg(main.position, "no server is configured", hint);
  }
  warnOfSelfLoops(pools.toInput(), servers, report, places);
  const pidFile = main.own(pid)[0]?.value;
  const adminAddress = main.own(admin)[0]?.value;
  const metricsListener = main.own(metrics)[0]?.value;
  const vllmNames = main.own(metricsVllmNames)[0]?.value;
  const connectionsMax = main.own(events)[0]?.block?.own(workerConnections)[0]?.value;
  const drainTimeoutMs = main.own(workerShutdownTimeout)[0]?.value;
  const tracing = readTracing(httpBlock);
  const errorLog = readErrorLog(main, httpBlock, report);
  return {
    workers: main.own(workerProcesses)[0]?.value ?? 1,
    ...(pidFile !== undefined && { pidFile }),
    ...(adminAddress !== undefined && { admin: adminAddress }),
    metrics: { ...metricsListener, ...(vllmNames && { vllmNames }) },
    ...(connectionsMax !== undefined && { connectionsMax }),
    ...(drainTimeoutMs !== undefined && { drainTimeoutMs }),
    ...(errorLog && { errorLog }),
    ...(tracing && { tracing }),
    logFormats: formats,
    contentTypes: contentTypes.input,
    ...readLimitZones(httpBlock, report),
    maps: readMaps(httpBlock, loading, places),
    pools: pools.toInput(),
    servers,
  };
}

/** Of two maps for one variable, nginx uses the last. */
function readMaps(block: Block, { report }: Loading, places: Places): ConfigInput["maps"] {
  const entries = maps.flatMap((one) => block.own(one));
  const last = new Map(entries.map((entry) => [entry.value.variable, entry]));
  const used = entries.filter((entry) => {
    if (last.get(entry.value.variable) === entry) return true;
    const message = `another map defines "$${entry.value.variable}": the last one is used`;
    report.warn(entry.node.name.position, message);
    return false;
  });
  used.forEach(({ node }, index) => {
    places.set(["maps", index], node.name.position);
  });
  return used.map(({ value }) => value);
}
