/** The address that trusted proxies say they forward for, by `X-Forwarded-For`: for maps by address. */
import type { MapConfig } from "../../../config/schema/schema.ts";
import {
  NetworkTable,
  type NumericAddress,
  parseAddress,
  parseNetworks,
} from "../../../config/values/networks.ts";
import type { RequestContext } from "../../context/request-context.ts";

type ForwardedAddress = (
  context: RequestContext,
  address: NumericAddress,
) => NumericAddress | undefined;

/** Undefined = no proxy is trusted. The last address is taken; with `throughSeveral` the last that is not trusted. */
export function forwardedAddress({
  trustedProxies,
  throughSeveral,
}: MapConfig): ForwardedAddress | undefined {
  if (trustedProxies.length === 0) return undefined;
  const trusted = new NetworkTable<true>();
  for (const network of trustedProxies.flatMap((text) => parseNetworks(text) ?? [])) {
    trusted.set(network, true);
  }
  return (context, address) => {
    const header = context.head.fields.get("x-forwarded-for") ?? "";
    const named = header.split(/[ ,]+/).filter((text) => text !== "");
    let found = address;
    while (trusted.find(found) !== undefined) {
      const next = parseAddress(withoutPort(named.pop() ?? ""));
      if (next === undefined) break;
      found = next;
      if (!throughSeveral) break;
    }
    return found;
  };
}

function withoutPort(text: string): string {
  return text.replace(/^\[(.*)\](?::\d+)?$/, "$1").replace(/^([\d.]+):\d+$/, "$1");
}
