/** Addresses and networks from which a connection is trusted. */
import { BlockList, isIP } from "node:net";

/** Whether a connection from an address is trusted. "" or `unix:` = it came over a unix socket. */
export type TrustedPeers = (remoteAddress: string) => boolean;

/** @param addresses `10.0.0.5`, `10.0.0.0/8`, `fd00::/8`, `unix`. @returns undefined = one of them is none of these */
export function trustedPeers(addresses: readonly string[]): TrustedPeers | undefined {
  const list = new BlockList();
  for (const text of addresses) {
    if (text === "unix") continue;
    const [, address = "", bits] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
    const version = isIP(address);
    const most = version === 4 ? 32 : 128;
    if (version === 0 || Number(bits ?? 0) > most) return undefined;
    list.addSubnet(address, Number(bits ?? most), version === 4 ? "ipv4" : "ipv6");
  }
  const trustsUnix = addresses.includes("unix");
  return (remoteAddress) => {
    const plain = remoteAddress.replace(/^::ffff:(?=\d+\.)/i, "");
    const version = isIP(plain);
    if (version === 0) return trustsUnix;
    return list.check(plain, version === 4 ? "ipv4" : "ipv6");
  };
}
