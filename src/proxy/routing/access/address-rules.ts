/** `allow` and `deny`: whether a client's address may use a route. The first rule that matches decides. */
import type { AccessConfig } from "../../../config/schema/schema.ts";
import { type Network, parseAddress, parseNetworks } from "../../../config/values/networks.ts";

interface Rule {
  readonly isAllowed: boolean;
  /** `all` = any client, `unix` = those of unix sockets. */
  readonly peers: "all" | "unix" | readonly Network[];
}

export type AddressVerdict = "allowed" | "denied" | "no-rule";

/** @returns undefined = there are no rules */
export function addressRules(
  configs: AccessConfig["rules"],
): ((address: string) => AddressVerdict) | undefined {
  if (configs.length === 0) return undefined;
  const rules = configs.map((config): Rule => {
    const isAllowed = "allow" in config;
    const text = isAllowed ? config.allow : config.deny;
    const peers = text === "all" || text === "unix" ? text : (parseNetworks(text) ?? []);
    return { isAllowed, peers };
  });
  return (address) => {
    const parsed = parseAddress(address);
    const rule = rules.find(({ peers }) => {
      if (peers === "all") return true;
      if (parsed === undefined || peers === "unix") return peers === "unix" && !parsed;
      return peers.some(({ bits, prefixBits, value }) => {
        const rest = BigInt(bits - prefixBits);
        return bits === parsed.bits && parsed.value >> rest === value >> rest;
      });
    });
    if (rule === undefined) return "no-rule";
    return rule.isAllowed ? "allowed" : "denied";
  };
}
