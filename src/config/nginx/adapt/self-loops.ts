/** Finds engines that are the proxy itself, as in one of the original's own sample configurations. */
import type { Places } from "../syntax/places.ts";
import type { Report } from "../syntax/report.ts";
import type { PoolInput } from "./pools.ts";
import type { ServerInput } from "./server.ts";

const thisMachine = /^(?:127\.0\.0\.1|localhost|0\.0\.0\.0|\[::1\]):(\d+)$/;

export function warnOfSelfLoops(
  pools: Readonly<Record<string, PoolInput>>,
  servers: readonly ServerInput[],
  report: Report,
  places: Places,
): void {
  const listens = servers.flatMap(({ listen }) => listen);
  const local = /^(?:0\.0\.0\.0|::1?|127\.0\.0\.1|localhost)$/;
  const ports = new Set(listens.filter(({ host = "" }) => local.test(host)).map((l) => l.port));
  for (const [name, { engines }] of Object.entries(pools)) {
    engines?.forEach(({ url }, index) => {
      const port = thisMachine.exec(url)?.[1];
      if (port === undefined || !ports.has(Number(port))) return;
      const position = places.of(["pools", name, "engines", index]);
      report.warn(
        position,
        `engine "${url}" is this proxy's own address: requests would come back`,
      );
    });
  }
}
