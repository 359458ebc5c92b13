/** Checks of who may use a route, and how much of it. */
import type { ConfigPath } from "../problems/fault.ts";
import { didYouMean } from "../problems/suggest.ts";
import type { RouteConfig } from "../schema/schema.ts";
import { parseNetworks } from "../values/networks.ts";
import type { CheckContext } from "./context.ts";

export function checkAccess(
  { faults }: CheckContext,
  { access }: RouteConfig,
  path: ConfigPath,
): void {
  access?.rules.forEach((rule, index) => {
    for (const [key, peers] of Object.entries(rule)) {
      if (peers === "all" || peers === "unix" || parseNetworks(peers) !== undefined) continue;
      const message = `"${peers}" is no address and no network`;
      faults.emerg([...path, "access", "rules", index, key], message, 'or "all", or "unix"');
    }
  });
}

export function checkZones({ config, texts }: CheckContext): void {
  for (const kind of ["requestZones", "connectionZones"] as const) {
    for (const [name, { key }] of Object.entries(config[kind]))
      texts.template([kind, name, "key"], key);
  }
}

export function checkLimits(
  { config, faults }: CheckContext,
  route: RouteConfig,
  path: ConfigPath,
): void {
  const check = (
    zones: readonly { readonly zone: string }[] | undefined,
    known: Readonly<Record<string, unknown>>,
    at: ConfigPath,
  ) => {
    zones?.forEach(({ zone }, index) => {
      if (Object.hasOwn(known, zone)) return;
      const hint = didYouMean(zone, Object.keys(known));
      faults.emerg([...at, "zones", index, "zone"], `unknown zone "${zone}"`, hint);
    });
  };
  check(route.requestLimits?.zones, config.requestZones, [...path, "requestLimits"]);
  check(route.connectionLimits?.zones, config.connectionZones, [...path, "connectionLimits"]);
}
