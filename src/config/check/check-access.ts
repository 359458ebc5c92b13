/** Checks of who may use a route. */
import type { ConfigPath } from "../problems/fault.ts";
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
